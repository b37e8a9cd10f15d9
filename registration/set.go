package registration

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
)

// Set is all the registrations that a server serves, none of which contradicts another.
// It never changes and may be used concurrently; a nil Set is an empty one.
type Set struct {
	serverName string
	regs       []*Registration
	byID       map[string]*Registration
	byToken    map[[sha256.Size]byte]*Registration // by hash of as_token
	bySender   map[string]*Registration            // by user id
	users      *Matcher
	aliases    *Matcher
	rooms      *Matcher
	problems   Problems
	files      map[string]servedFile
}

// Sizes of the result caches, in identifiers.
const (
	userCacheSize = 1 << 16
	nameCacheSize = 1 << 12
)

// NewSet makes a Set of registrations made in the program. The good ones are in it; why
// others are not, and what is doubtful, is in its [Set.Problems]. An empty server name
// stands for any server and is for checking files alone.
func NewSet(serverName string, regs ...*Registration) (*Set, error) {
	return load(serverName, nil, regs, nil)
}

// Load makes a Set of the files that paths name, after those made in the program. A path
// is a file, a folder (of which *.yaml and *.yml are taken) or a glob. The good
// registrations are in the Set; why others are not is in its [Set.Problems]. The error is
// for what should not happen with any input.
func Load(serverName string, paths []string, builtin ...*Registration) (*Set, error) {
	return load(serverName, paths, builtin, nil)
}

// finish builds the look-ups over the registrations that were admitted.
func (s *Set) finish(regs []*Registration, compiled patterns) error {
	s.regs = regs
	s.byID = make(map[string]*Registration, len(regs))
	s.byToken = make(map[[sha256.Size]byte]*Registration, len(regs))
	s.bySender = make(map[string]*Registration, len(regs))
	for _, r := range regs {
		s.byID[r.ID] = r
		s.byToken[sha256.Sum256([]byte(r.ASToken))] = r
		s.bySender[r.SenderID(s.serverName)] = r
	}
	var err error
	if s.users, err = newMatcher(regs, "users", userCacheSize, compiled); err != nil {
		return err
	}
	if s.aliases, err = newMatcher(regs, "aliases", nameCacheSize, compiled); err != nil {
		return err
	}
	s.rooms, err = newMatcher(regs, "rooms", nameCacheSize, compiled)
	return err
}

// All are the registrations: those made in the program, then those of files in the order
// of the paths. The slice must not be changed.
func (s *Set) All() []*Registration {
	if s == nil {
		return nil
	}
	return slices.Clip(s.regs)
}

// Problems are what was wrong or doubtful when the Set was made. Of each file with an
// error the registration is missing, or an older version is served.
func (s *Set) Problems() Problems {
	if s == nil {
		return nil
	}
	return slices.Clone(s.problems)
}

// ByID finds a registration by its id, or nil.
func (s *Set) ByID(id string) *Registration {
	if s == nil {
		return nil
	}
	return s.byID[id]
}

// ByASToken finds the service that a token belongs to, or nil. How long that takes says
// nothing about the tokens: their hashes are compared.
func (s *Set) ByASToken(token string) *Registration {
	if s == nil || token == "" || len(token) > maxTokenLength {
		return nil
	}
	return s.byToken[sha256.Sum256([]byte(token))]
}

// InterestedInUser are the services to which a user of this server belongs: by a
// namespace, or as the service's own user. Users of other servers belong to none. The
// slice must not be changed.
func (s *Set) InterestedInUser(userID string) []*Registration {
	if s == nil || !s.local(userID) {
		return nil
	}
	found := s.users.Interested(userID)
	sender := s.bySender[userID]
	if sender == nil || slices.Contains(found, sender) {
		return found
	}
	return append(slices.Clip(found), sender)
}

// InterestedInAlias are the services with an alias namespace that the alias is in. The
// slice must not be changed.
func (s *Set) InterestedInAlias(alias string) []*Registration {
	if s == nil {
		return nil
	}
	return s.aliases.Interested(alias)
}

// InterestedInRoom are the services with a room namespace that the room id is in; whether
// they are interested in the room for its members or aliases is for the caller to ask.
// The slice must not be changed.
func (s *Set) InterestedInRoom(roomID string) []*Registration {
	if s == nil {
		return nil
	}
	return s.rooms.Interested(roomID)
}

// ExclusiveUser is the service that alone may make and use the user, or nil. Users of
// other servers are nobody's.
func (s *Set) ExclusiveUser(userID string) *Registration {
	if s == nil || !s.local(userID) {
		return nil
	}
	if r := s.bySender[userID]; r != nil {
		return r
	}
	return s.users.Owner(userID)
}

// ExclusiveAlias is the service that alone may make the alias, or nil.
func (s *Set) ExclusiveAlias(alias string) *Registration {
	if s == nil {
		return nil
	}
	return s.aliases.Owner(alias)
}

// local is whether a user id is of this server.
func (s *Set) local(userID string) bool {
	if s.serverName == "" {
		return true
	}
	n := len(userID) - len(s.serverName)
	// "A localpart MUST NOT contain :", so the server name follows the first one.
	return n > 1 && userID[0] == '@' && userID[n:] == s.serverName && strings.IndexByte(userID, ':') == n-1
}

// String says how many registrations there are.
func (s *Set) String() string { return fmt.Sprintf("%d application services", len(s.All())) }

var _ fmt.Stringer = (*Set)(nil)
