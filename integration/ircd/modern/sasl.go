package modern

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// saslState is a log-in that is under way.
type saslState struct {
	mechanism           string
	buffer              string
	user, first, server string
	salted              []byte
	done                bool
}

// authenticate takes a step of a log-in: PLAIN, or SCRAM-SHA-256 (RFC 5802).
func (c *client) authenticate(param string) {
	if c.sasl == nil || param == "*" {
		switch param {
		case "PLAIN", "SCRAM-SHA-256":
			c.sasl = &saslState{mechanism: param}
			c.challenge("")
		default:
			c.sasl = nil
			c.num("904", "SASL authentication failed")
		}
		return
	}
	if param != "+" {
		c.sasl.buffer += param
		if len(param) == 400 {
			return
		}
	}
	raw, err := base64.StdEncoding.DecodeString(c.sasl.buffer)
	c.sasl.buffer = ""
	if err != nil {
		c.loggedIn("", false)
		return
	}
	if c.sasl.mechanism == "PLAIN" {
		parts := strings.Split(string(raw), "\x00")
		if len(parts) != 3 {
			c.loggedIn("", false)
			return
		}
		want, ok := c.s.opts.Accounts[parts[1]]
		c.loggedIn(parts[1], ok && want == parts[2])
		return
	}
	c.scram(string(raw))
}

func (c *client) challenge(text string) {
	encoded := base64.StdEncoding.EncodeToString([]byte(text))
	if encoded == "" {
		encoded = "+"
	}
	c.send("AUTHENTICATE " + encoded)
}

const salt = "0123456789abcdef"

func (c *client) scram(msg string) {
	x := c.sasl
	fields := map[string]string{}
	for _, f := range strings.Split(msg, ",") {
		k, v, _ := strings.Cut(f, "=")
		fields[k] = v
	}
	switch {
	case x.done:
		c.loggedIn(x.user, true)
	case x.first == "":
		x.user, x.first = fields["n"], strings.TrimPrefix(msg, "n,,")
		password, ok := c.s.opts.Accounts[x.user]
		if !ok {
			c.loggedIn("", false)
			return
		}
		x.salted, _ = pbkdf2.Key(sha256.New, password, []byte(salt), 4096, 32)
		x.server = "r=" + fields["r"] + "server,s=" + base64.StdEncoding.EncodeToString([]byte(salt)) + ",i=4096"
		c.challenge(x.server)
	default:
		without, proof, _ := strings.Cut(msg, ",p=")
		auth := x.first + "," + x.server + "," + without
		mac := func(key []byte, text string) []byte {
			h := hmac.New(sha256.New, key)
			h.Write([]byte(text))
			return h.Sum(nil)
		}
		clientKey := mac(x.salted, "Client Key")
		stored := sha256.Sum256(clientKey)
		signature := mac(stored[:], auth)
		for i := range signature {
			signature[i] ^= clientKey[i]
		}
		if base64.StdEncoding.EncodeToString(signature) != proof {
			c.loggedIn("", false)
			return
		}
		x.done = true
		c.challenge("v=" + base64.StdEncoding.EncodeToString(mac(mac(x.salted, "Server Key"), auth)))
	}
}

func (c *client) loggedIn(account string, ok bool) {
	c.sasl = nil
	if !ok {
		c.num("904", "SASL authentication failed")
		return
	}
	c.account = account
	c.num("900", c.nick+"!~u@h", account, "You are now logged in as "+account)
	c.num("903", "SASL authentication successful")
}
