package oauth

import "strings"

// The scopes: specification, "Allocated scope tokens", and their names in MSC2967, which many clients
// still ask for.
const (
	scopeAPI       = "urn:matrix:client:api:*"
	scopeAPIOld    = "urn:matrix:org.matrix.msc2967.client:api:*"
	scopeDevice    = "urn:matrix:client:device:"
	scopeDeviceOld = "urn:matrix:org.matrix.msc2967.client:device:"
)

const (
	scopeMax    = 1024
	deviceIDMax = 255
)

// grant is what a client asks for.
type grant struct {
	// Device is the device id.
	Device string
	// Scope is what is granted of what was asked for, in the client's own spelling.
	Scope string
}

// parseScope reads the scope of a request. Scopes that are not known (openid, say) are left out:
// RFC 6749, section 3.3: "The authorization server MAY fully or partially ignore the scope requested
// by the client".
func parseScope(s string) (g grant, err error) {
	if len(s) > scopeMax {
		return g, bad("invalid_scope", "The scope is too long.")
	}
	var granted []string
	api := false
	for token := range strings.FieldsFuncSeq(s, func(c rune) bool { return c == ' ' }) {
		// "In any case it MUST only use characters allowed by the OAuth 2.0 scope definition":
		// %x21 / %x23-5B / %x5D-7E.
		if strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' || c == '\\' }) {
			return g, bad("invalid_scope", "The scope has characters that it must not have.")
		}
		id, ok := strings.CutPrefix(token, scopeDevice)
		if !ok {
			id, ok = strings.CutPrefix(token, scopeDeviceOld)
		}
		switch {
		case ok && (id == "" || len(id) > deviceIDMax):
			return g, bad("invalid_scope", "A device id has 1 to 255 characters.")
		case ok && g.Device != "" && g.Device != id:
			// "There MUST be exactly one urn:matrix:client:device:<device_id> token in the requested scope
			// in the login flow." Both spellings of one device are one.
			return g, bad("invalid_scope", "The scope names more than one device.")
		case ok:
			g.Device = id
		case token == scopeAPI || token == scopeAPIOld:
			api = true
		default:
			continue
		}
		granted = append(granted, token)
	}
	if !api {
		return g, bad("invalid_scope", "The scope must have "+scopeAPI+".")
	}
	if g.Device == "" {
		return g, bad("invalid_scope", "The scope must have "+scopeDevice+" with a device id.")
	}
	g.Scope = strings.Join(granted, " ")
	return g, nil
}
