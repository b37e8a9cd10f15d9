package accounts

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// maxUserID is the specification's limit: "The length of a user ID, including the @ sigil and
// the domain, MUST NOT exceed 255 bytes."
const maxUserID = 255

func invalidUsername(format string, args ...any) error {
	return mxerror.New(http.StatusBadRequest, "M_INVALID_USERNAME", format, args...)
}

// UserID makes a user id of this server out of a localpart, checking it. Specification, "User
// Identifiers": "The localpart of a user ID ... MUST NOT be empty, and MUST contain only the
// characters a-z, 0-9, ., _, =, -, /, and +." With historical, which is for application
// services only, it also allows what older user ids may have: "any legal non-surrogate Unicode
// code points except : and NUL".
func (a *Accounts) UserID(localpart string, historical bool) (string, error) {
	if localpart == "" {
		return "", invalidUsername("The user name is empty.")
	}
	if !utf8.ValidString(localpart) {
		return "", invalidUsername("The user name is not valid UTF-8.")
	}
	for _, c := range localpart {
		if historical && c != ':' && c != 0 {
			continue
		}
		if !plainLocalpart(c) {
			return "", invalidUsername("A user name may hold only the characters a-z, 0-9, and . _ = - / +, not %q.", c)
		}
	}
	id := "@" + localpart + ":" + a.server
	if len(id) > maxUserID {
		return "", invalidUsername("The user id would be %d bytes long; at most %d are allowed.", len(id), maxUserID)
	}
	return id, nil
}

func plainLocalpart(c rune) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.ContainsRune("._=-/+", c)
}

// localUser finds which user a login means: a localpart or a whole user id of this server.
func (a *Accounts) localUser(user string) (string, bool) {
	if !strings.HasPrefix(user, "@") {
		user = "@" + user + ":" + a.server
	}
	_, server, ok := strings.Cut(user, ":")
	return user, ok && server == a.server && len(user) <= maxUserID
}
