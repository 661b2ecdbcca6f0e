# SPDX-License-Identifier: MIT
"""The Python frameworks as a peer: see README.md. Packages are imported when they are asked for."""

import hashlib
import importlib.metadata
import json
import sys
import time


class Refused(Exception):
    """The package does not take the cookie."""


def secrets_of(request):
    return [bytes.fromhex(secret) for secret in request["secrets"]]


def texts_of(request):
    return [secret.decode() for secret in secrets_of(request)]


def content_of(request):
    """What is to be issued, for those that take anything."""
    return request["value"] if "value" in request else bytes.fromhex(request["data"])


def value_of_set_cookie(header):
    return header.split(";", 1)[0].split("=", 1)[1]


def cookie_header(request):
    return "other=1; %s=%s" % (request["name"], request["cookie"])


# --- itsdangerous --------------------------------------------------------------------------------


class Itsdangerous:
    package = "itsdangerous"

    def __init__(self, request):
        import itsdangerous
        self.refusals = itsdangerous.BadData
        secrets = secrets_of(request)[::-1]  # the newest is the last one there
        signer = {"key_derivation": request["derivation"].replace("_", "-"), "sep": request["separator"],
                  "digest_method": getattr(hashlib, request["hash"])}
        self.timed = request["form"] in ("timestamp", "url_safe_timed")
        self.age = {"max_age": request["max_age"]} if self.timed else {}
        self.raw = request["form"] in ("signer", "timestamp")
        if self.raw:
            maker = itsdangerous.TimestampSigner if self.timed else itsdangerous.Signer
            self.codec = maker(secrets, salt=request["salt"], **signer)
        else:
            maker = itsdangerous.URLSafeTimedSerializer if self.timed else itsdangerous.URLSafeSerializer
            signer["sep"] = request["separator"]
            self.codec = maker(secrets, salt=request["salt"], signer_kwargs=signer)

    def issue(self, request):
        if self.raw:
            return self.codec.sign(bytes.fromhex(request["data"]))
        return self.codec.dumps(request["value"])

    def verify(self, request):
        try:
            if self.raw:
                return self.codec.unsign(request["cookie"], **self.age)
            return {"value": self.codec.loads(request["cookie"], **self.age)}
        except self.refusals as refusal:
            raise Refused(repr(refusal))


class Flask:
    package = "flask"

    def __init__(self, request):
        import flask
        self.app = flask.Flask("peer")
        self.app.secret_key, = secrets_of(request)
        self.app.config["SESSION_COOKIE_NAME"] = request["name"]
        self.app.config["PERMANENT_SESSION_LIFETIME"] = request["max_age"]

    def issue(self, request):
        with self.app.test_request_context("/"):
            response = self.app.response_class()
            session = self.app.session_interface.session_class()
            session.update(request["value"])
            self.app.session_interface.save_session(self.app, session, response)
            return value_of_set_cookie(response.headers["Set-Cookie"])

    def verify(self, request):
        with self.app.test_request_context("/", headers={"Cookie": cookie_header(request)}) as context:
            session = self.app.session_interface.open_session(self.app, context.request)
        if not session:
            raise Refused("an empty session")
        return {"value": dict(session)}


class Starlette:
    package = "starlette"

    def __init__(self, request):
        from starlette.middleware.sessions import SessionMiddleware
        self.session, self.sent = None, []
        secret, = texts_of(request)
        self.middleware = SessionMiddleware(self.application, secret, session_cookie=request["name"],
                                            max_age=request["max_age"])

    async def application(self, scope, _receive, send):
        if self.session is None:
            self.session = dict(scope["session"])
        else:
            scope["session"].update(self.session)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(self, message):
        self.sent.append(message)

    def call(self, headers):
        coroutine = self.middleware({"type": "http", "headers": headers}, None, self.send)
        try:
            coroutine.send(None)  # it waits for nothing
        except StopIteration:
            return
        raise RuntimeError("the middleware waits")

    def issue(self, request):
        self.session = request["value"]
        self.call([])
        return value_of_set_cookie(dict(self.sent[0]["headers"])[b"set-cookie"].decode())

    def verify(self, request):
        self.call([(b"cookie", cookie_header(request).encode())])
        if not self.session:
            raise Refused("an empty session")
        return {"value": self.session}


# --- Pylons --------------------------------------------------------------------------------------


class Webob:
    package = "webob"

    def __init__(self, request):
        from webob.cookies import SignedSerializer
        secret, = texts_of(request)
        self.codec = SignedSerializer(secret, request["salt"], request["hash"])

    def issue(self, request):
        return self.codec.dumps(request["value"])

    def verify(self, request):
        try:
            return {"value": self.codec.loads(request["cookie"].encode())}
        except ValueError as refusal:
            raise Refused(repr(refusal))


class Pyramid:
    package = "pyramid"

    def __init__(self, request):
        import webob
        from pyramid.session import SignedCookieSessionFactory
        from pyramid.testing import DummyRequest
        self.request, self.response = DummyRequest(), webob.Response()
        secret, = texts_of(request)
        self.make = SignedCookieSessionFactory(
            secret, cookie_name=request["name"], timeout=request["max_age"], salt=request["salt"],
            hashalg=request["hash"])

    def issue(self, request):
        if "created" in request:  # an older session that is used again
            time.time = lambda: request["created"]
        session = self.make(self.request)
        time.time = lambda: request["now"]
        session.update(request["value"])
        self.request._process_response_callbacks(self.response)
        return value_of_set_cookie(self.response.headers["Set-Cookie"])

    def verify(self, request):
        self.request.cookies = {request["name"]: request["cookie"]}
        session = self.make(self.request)
        if session.new or not dict(session):
            raise Refused("a new session" if session.new else "an empty session")
        return {"value": dict(session), "created": session.created}


# --- Django --------------------------------------------------------------------------------------


def django(request):
    """Its settings; made once."""
    import django as package
    from django.conf import settings
    if not settings.configured:
        settings.configure()
        package.setup()
    settings.SECRET_KEY, = secrets_of(request)
    settings.SESSION_COOKIE_AGE = request.get("max_age")
    settings.DEFAULT_HASHING_ALGORITHM = "sha1" if request.get("legacy_sha1") else "sha256"


class Django:
    package = "django"

    def __init__(self, request):
        django(request)
        from django.core import signing
        self.signing = signing

    def signer(self, request):
        maker = self.signing.Signer if request["form"] == "signer" else self.signing.TimestampSigner
        return maker(salt=request["salt"])

    def issue(self, request):
        if "value" in request:
            return self.signing.dumps(request["value"], salt=request["salt"],
                                      compress=request["form"] == "compressed")
        return self.signer(request).sign(bytes.fromhex(request["data"]).decode())

    def verify(self, request):
        age = {} if request["form"] == "signer" else {"max_age": request["max_age"]}
        try:
            if request["form"] in ("dumps", "compressed"):
                return {"value": self.signing.loads(request["cookie"], salt=request["salt"], **age)}
            return self.signer(request).unsign(request["cookie"], **age).encode()
        except self.signing.BadSignature as refusal:
            raise Refused(repr(refusal))


class DjangoSession:
    package = "django"

    def __init__(self, request):
        django(request)
        from django.contrib.sessions.backends.signed_cookies import SessionStore
        self.make = SessionStore

    def issue(self, request):
        session = self.make()
        session.update(request["value"])
        session.save()
        return session.session_key

    def verify(self, request):
        session = self.make(request["cookie"])
        value = dict(session.items())
        if not value:
            raise Refused("an empty session")
        return {"value": value}


class DjangoSignedCookie:
    package = "django"

    def __init__(self, request):
        django(request)

    def issue(self, request):
        from django.http import HttpResponse
        response = HttpResponse()
        response.set_signed_cookie(request["name"], bytes.fromhex(request["data"]).decode(), request["salt"])
        return response.cookies[request["name"]].value

    def verify(self, request):
        from django.core.signing import BadSignature
        from django.http import HttpRequest
        asked = HttpRequest()
        asked.COOKIES[request["name"]] = request["cookie"]
        try:
            return asked.get_signed_cookie(request["name"], salt=request["salt"],
                                           max_age=request["max_age"]).encode()
        except BadSignature as refusal:
            raise Refused(repr(refusal))


# --- others --------------------------------------------------------------------------------------


class Tornado:
    package = "tornado"
    version = 2

    def __init__(self, request):
        import logging
        from tornado import web
        logging.disable(logging.CRITICAL)  # it logs what it refuses
        self.web = web
        self.secret, self.key = secrets_of(request)[0], None
        if "key_versions" in request:
            self.secret = dict(zip(request["key_versions"], secrets_of(request)))
            self.key = request["key_versions"][0]

    def issue(self, request):
        return self.web.create_signed_value(self.secret, request["name"], bytes.fromhex(request["data"]),
                                            version=self.version, key_version=self.key)

    def verify(self, request):
        data = self.web.decode_signed_value(self.secret, request["name"], request["cookie"],
                                            max_age_days=request["max_age"] / 86400,
                                            min_version=self.version)
        if data is None:
            raise Refused("None")
        return data


class TornadoV1(Tornado):
    version = 1


class Beaker:
    package = "beaker"

    def __init__(self, request):
        from beaker.session import InvalidSignature, SignedCookie
        self.invalid = InvalidSignature
        self.codec = SignedCookie(texts_of(request)[0])

    def issue(self, request):
        return self.codec.value_encode(bytes.fromhex(request["data"]).decode())[1]

    def verify(self, request):
        data, _ = self.codec.value_decode(request["cookie"])
        if data is None or data is self.invalid:
            raise Refused("InvalidSignature")
        return data.encode()


class Fernet:
    package = "cryptography"

    def __init__(self, request):
        from cryptography import fernet
        self.invalid = fernet.InvalidToken
        self.codec = fernet.MultiFernet([fernet.Fernet(key) for key in texts_of(request)])

    def issue(self, request):
        return self.codec.encrypt_at_time(bytes.fromhex(request["data"]), int(request["now"]))

    def verify(self, request):
        try:
            return self.codec.decrypt(request["cookie"].encode(), request["max_age"])
        except self.invalid:
            raise Refused("InvalidToken")


PEERS = {
    "itsdangerous": Itsdangerous, "flask": Flask, "starlette": Starlette, "webob": Webob,
    "pyramid": Pyramid, "django": Django, "django_session": DjangoSession,
    "django_signed_cookie": DjangoSignedCookie, "tornado": Tornado, "tornado_v1_unsafe": TornadoV1,
    "beaker_legacy_sha1": Beaker, "fernet": Fernet,
}


def answer(request):
    if request["dialect"] not in PEERS:
        return {"missing": "%s is not in this peer" % request["dialect"]}
    peer = PEERS[request["dialect"]]
    if request["do"] == "hello":
        try:
            return {"version": "%s %s" % (peer.package, importlib.metadata.version(peer.package))}
        except importlib.metadata.PackageNotFoundError as missing:
            return {"missing": "there is no Python package %s" % missing.name}
    time.time = lambda: request["now"]
    if request["do"] == "issue":
        cookie = peer(request).issue(request)
        return {"cookie": cookie.decode() if isinstance(cookie, bytes) else cookie}
    try:
        found = peer(request).verify(request)
    except Refused as refusal:
        return {"ok": False, "why": str(refusal)}
    return dict(found if isinstance(found, dict) else {"data": found.hex()}, ok=True)


for line in sys.stdin:
    try:
        done = answer(json.loads(line))
    except Exception as failed:  # the test tells it, and goes on
        done = {"error": "%s: %s" % (type(failed).__name__, failed)}
    print(json.dumps(done), flush=True)
