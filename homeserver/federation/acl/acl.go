// Package acl applies the access control lists by which rooms shut servers out. Where that is done is for
// others.
package acl

import (
	"encoding/json/jsontext"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/federation/discovery"
)

// Allows applies the content of an m.room.server_acl: specification, client-server API:
//
//  1. "If there is no m.room.server_acl event in the room state, allow."
//  2. "If the server name is an IP address (v4 or v6) literal, and allow_ip_literals is present and
//     false, deny."
//  3. "If the server name matches an entry in the deny list, deny."
//  4. "If the server name matches an entry in the allow list, allow."
//  5. "Otherwise, deny."
//
// "The server name ... port number, if any, [is] ignored"; "* matches zero or more characters; ?
// matches exactly one".
func Allows(content jsontext.Value, server string) bool {
	name, err := discovery.ParseName(server)
	if err != nil {
		return false
	}
	host := strings.ToLower(name.Host)
	if v := gjson.GetBytes(content, "allow_ip_literals"); v.Type == gjson.False && name.IP.IsValid() {
		return false
	}
	bracketed := "[" + host + "]"
	matches := func(list string) bool {
		v := gjson.GetBytes(content, list)
		if !v.IsArray() {
			return false
		}
		found := false
		v.ForEach(func(_, glob gjson.Result) bool {
			g := strings.ToLower(glob.Str)
			found = glob.Type == gjson.String && (matchGlob(g, host) || name.IP.Is6() && matchGlob(g, bracketed))
			return !found
		})
		return found
	}
	return !matches("deny") && matches("allow")
}

// matchGlob matches in time proportional to the product of both lengths, whatever the glob.
func matchGlob(glob, s string) bool {
	star, from := -1, 0
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(glob) && glob[i] == '*':
			star, from = i, j
			i++
		case i < len(glob) && (glob[i] == '?' || glob[i] == s[j]):
			i++
			j++
		case star >= 0:
			from++
			i, j = star+1, from
		default:
			return false
		}
	}
	for i < len(glob) && glob[i] == '*' {
		i++
	}
	return i == len(glob)
}
