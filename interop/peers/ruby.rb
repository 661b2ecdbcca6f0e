# SPDX-License-Identifier: MIT
#
# Rails and Rack as a peer: see README.md. Libraries are loaded when they are asked for.
require "json"

def bytes(hex) = [hex].pack("H*")
def secrets_of(request) = request["secrets"].map { |secret| bytes(secret) }
def expiry_of(request) = request["lifetime"] && Time.at(request["now"] + request["lifetime"])
def refused(why) = { ok: false, why: why }

def value_of_set_cookie(header) = header.split(";", 2)[0].split("=", 2)[1]
def cookie_header(request) = "other=1; #{request["name"]}=#{request["cookie"]}"

# ActiveSupport::MessageVerifier and MessageEncryptor.
class Messages
  GEM = "activesupport"

  def initialize(request)
    require "active_support"
    require "active_support/message_verifier"
    require "active_support/message_encryptor"
    require "active_support/json"
    secrets = secrets_of(request)
    @codec = make(request, secrets.shift)
    secrets.each { |old| rotate(request, old) }
    @purpose = request["purpose"]
  end
end

class Verifier < Messages
  def make(request, secret)
    ActiveSupport::MessageVerifier.new(secret, digest: request["hash"].upcase, serializer: JSON)
  end

  def rotate(request, old) = @codec.rotate(old)

  def issue(request)
    { cookie: @codec.generate(request["value"], expires_at: expiry_of(request), purpose: @purpose) }
  end

  def verify(request)
    { ok: true, value: @codec.verify(request["cookie"], purpose: @purpose) }
  rescue ActiveSupport::MessageVerifier::InvalidSignature => refusal
    refused(refusal.class.name)
  end
end

class Encryptor < Messages
  def make(request, secret)
    ActiveSupport::MessageEncryptor.new(secret, cipher: "aes-256-gcm", serializer: JSON)
  end

  def rotate(request, old) = @codec.rotate(old)

  def issue(request)
    { cookie: @codec.encrypt_and_sign(request["value"], expires_at: expiry_of(request), purpose: @purpose) }
  end

  def verify(request)
    value = @codec.decrypt_and_verify(request["cookie"], purpose: @purpose)
    # An expired message and one for something else are nil here.
    value.nil? ? refused("nil") : { ok: true, value: value }
  rescue ActiveSupport::MessageEncryptor::InvalidMessage => refusal
    refused(refusal.class.name)
  end
end

# cookies.signed and cookies.encrypted of ActionDispatch.
class RailsCookie
  GEM = "actionpack"

  def initialize(request)
    require "action_dispatch"
    require "action_dispatch/middleware/cookies" # it would come with the middleware
    require "active_support/key_generator"
    require "active_support/messages/rotation_configuration"
    base, *old = secrets_of(request)
    rotations = ActiveSupport::Messages::RotationConfiguration.new
    old.each { |secret| rotations.rotate(kind, derived(request, secret), **rotated(request)) }
    @environment = Rack::MockRequest.env_for("/").merge(
      "action_dispatch.secret_key_base" => base,
      "action_dispatch.key_generator" => generator(request, base),
      "action_dispatch.signed_cookie_salt" => "signed cookie",
      "action_dispatch.authenticated_encrypted_cookie_salt" => "authenticated encrypted cookie",
      "action_dispatch.use_authenticated_cookie_encryption" => true,
      "action_dispatch.use_cookies_with_metadata" => true,
      "action_dispatch.signed_cookie_digest" => request["hash"].upcase,
      "action_dispatch.cookies_serializer" => :json,
      "action_dispatch.cookies_rotations" => rotations
    )
  end

  # hash_digest_class came with 7.0; before, it is SHA-1.
  def generator(_request, base) = ActiveSupport::KeyGenerator.new(base, iterations: 1000)
  def rotated(_request) = {}

  def issue(request)
    jar = ActionDispatch::Request.new(@environment).cookie_jar
    jar.send(kind)[request["name"]] = { value: request["value"], expires: expiry_of(request) }
    jar.write(headers = {})
    { cookie: value_of_set_cookie(headers["Set-Cookie"]) }
  end

  def verify(request)
    @environment["HTTP_COOKIE"] = cookie_header(request)
    value = ActionDispatch::Request.new(@environment).cookie_jar.send(kind)[request["name"]]
    value.nil? ? refused("nil") : { ok: true, value: value }
  end
end

class SignedCookie < RailsCookie
  def kind = :signed
  def derived(request, secret) = generator(request, secret).generate_key("signed cookie")
  def rotated(request) = { digest: request["hash"].upcase }
end

class EncryptedCookie < RailsCookie
  def kind = :encrypted
  def derived(request, secret) = generator(request, secret).generate_key("authenticated encrypted cookie", 32)
end

# Rack::Session::Cookie of Rack 2.
class RackSession
  GEM = "rack"

  def initialize(request)
    require "rack"
    require "rack/session/cookie"
    @secret, @old = secrets_of(request)
    @name, @hmac = request["name"], OpenSSL::Digest.const_get(request["hash"].upcase)
  end

  def call(environment, &use)
    application = lambda { |env| use.call(env["rack.session"]); [200, {}, []] }
    Rack::Session::Cookie.new(application, key: @name, secret: @secret, old_secret: @old, hmac: @hmac,
                              coder: Rack::Session::Cookie::Base64::JSON.new)
                         .call(Rack::MockRequest.env_for("/", environment))
  end

  def issue(request)
    _, headers, = call({}) { |session| session.update(request["value"]) }
    { cookie: value_of_set_cookie(headers["Set-Cookie"]) }
  end

  def verify(request)
    value = nil
    call({ "HTTP_COOKIE" => cookie_header(request) }) { |session| value = session.to_hash }
    value.delete("session_id")
    value.empty? ? refused("an empty session") : { ok: true, value: value }
  end
end

PEERS = { "rails_verifier" => Verifier, "rails_encryptor" => Encryptor,
          "rails_signed_cookie" => SignedCookie, "rails_encrypted_cookie" => EncryptedCookie,
          "rack_legacy_sha1" => RackSession }

def at(now)
  Time.singleton_class.class_eval do
    alias_method :real_now, :now unless method_defined?(:real_now)
    define_method(:now) { |**zone| Time.at(now, **zone) }
  end
end

def answer(request)
  peer = PEERS[request["dialect"]]
  return { missing: "#{request["dialect"]} is not in this peer" } unless peer
  if request["do"] == "hello"
    gem = Gem::Specification.find_all_by_name(peer::GEM).first
    return gem ? { version: "#{gem.name} #{gem.version}" } : { missing: "there is no gem #{peer::GEM}" }
  end
  at(request["now"])
  peer.new(request).send(request["do"], request)
end

STDOUT.sync = true
STDIN.each_line do |line|
  begin
    done = answer(JSON.parse(line))
  rescue StandardError, LoadError => failed
    done = { error: "#{failed.class}: #{failed.message}" }
  end
  puts JSON.generate(done)
end
