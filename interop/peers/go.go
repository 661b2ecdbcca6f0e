// SPDX-License-Identifier: MIT
//
// Go's gorilla/securecookie as a peer: see README.md. Run it by
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go run go.go
package main

import (
	"bufio"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"os"
	"reflect"
	"unsafe"

	"github.com/gorilla/securecookie"
)

type request struct {
	Do        string
	Dialect   string
	Secrets   []string
	BlockKeys []string `json:"block_keys"`
	Name      string
	Now       int64
	MaxAge    int `json:"max_age"`
	MinAge    int `json:"min_age"`
	Hash      string
	Data      *string
	Value     json.RawMessage
	AsJSON    bool `json:"as_json"`
	Cookie    string
}

type answer map[string]interface{}

var hashes = map[string]func() hash.Hash{
	"sha1": sha1.New, "sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New,
}

// setClock: its clock is there for its own tests, and not exported.
func setClock(codec *securecookie.SecureCookie, now int64) {
	field := reflect.ValueOf(codec).Elem().FieldByName("timeFunc")
	*(*func() int64)(unsafe.Pointer(field.UnsafeAddr())) = func() int64 { return now }
}

func codecs(r *request) []securecookie.Codec {
	var all []securecookie.Codec
	for i, secret := range r.Secrets {
		var block []byte
		if r.BlockKeys[i] != "" {
			block = bytes(r.BlockKeys[i])
		}
		codec := securecookie.New(bytes(secret), block)
		codec.HashFunc(hashes[r.Hash]).MaxAge(r.MaxAge).MinAge(r.MinAge)
		codec.SetSerializer(securecookie.NopEncoder{})
		if r.AsJSON {
			codec.SetSerializer(securecookie.JSONEncoder{})
		}
		setClock(codec, r.Now)
		all = append(all, codec)
	}
	return all
}

func bytes(text string) []byte {
	decoded, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return decoded
}

func issue(r *request) answer {
	var value interface{} = r.Value
	if !r.AsJSON {
		value = bytes(*r.Data)
	}
	cookie, err := securecookie.EncodeMulti(r.Name, value, codecs(r)...)
	if err != nil {
		return answer{"error": err.Error()}
	}
	return answer{"cookie": cookie}
}

func verify(r *request) answer {
	var data []byte
	var value json.RawMessage
	var into interface{} = &data
	if r.AsJSON {
		into = &value
	}
	if err := securecookie.DecodeMulti(r.Name, r.Cookie, into, codecs(r)...); err != nil {
		return answer{"ok": false, "why": err.Error()}
	}
	if r.AsJSON {
		return answer{"ok": true, "value": value}
	}
	return answer{"ok": true, "data": hex.EncodeToString(data)}
}

func respond(line []byte) (done answer) {
	defer func() {
		if failed := recover(); failed != nil {
			done = answer{"error": fmt.Sprint(failed)}
		}
	}()
	var r request
	if err := json.Unmarshal(line, &r); err != nil {
		return answer{"error": err.Error()}
	}
	switch {
	case r.Dialect != "gorilla":
		return answer{"missing": r.Dialect + " is not in this peer"}
	case r.Do == "hello":
		return answer{"version": "gorilla/securecookie"}
	case r.Do == "issue":
		return issue(&r)
	default:
		return verify(&r)
	}
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		text, err := json.Marshal(respond(lines.Bytes()))
		if err != nil {
			panic(err)
		}
		fmt.Println(string(text))
	}
}
