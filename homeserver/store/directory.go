package store

import (
	"context"
	"encoding/json/v2"
	"errors"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/words"
)

// directoryTerms bounds the words that one person is found by.
const directoryTerms = 48

// DirectoryTerms are the words by which a person is found.
func DirectoryTerms(userID, name string) []words.Token {
	localpart, _, _ := strings.Cut(strings.TrimPrefix(userID, "@"), ":")
	terms := words.Split(name, directoryTerms)
	terms = append(terms, words.Split(localpart, directoryTerms-len(terms))...)
	// Also the name of the account as a whole, with what stands between its words.
	if whole := words.Fold(localpart); len(whole) <= 64 {
		terms = append(terms, words.Token{Text: whole, Raw: localpart})
	}
	return terms
}

// IndexPerson brings the words by which somebody is found up to date. The writes that change an
// account or display name do it by themselves.
func (t *Tx) IndexPerson(user int64) error {
	if err := t.exec("directory_clear", user); err != nil {
		return err
	}
	var id, value string
	if err := t.row("directory_name", user).Scan(&id, &value); errors.Is(err, ErrNotFound) {
		return nil // who has no name can't be looked for
	} else if err != nil {
		return err
	}
	for _, k := range DirectoryTerms(id, displayName(value)) {
		if err := t.exec("directory_insert", []byte(k.Text), user); err != nil {
			return err
		}
	}
	return nil
}

// displayName is the text of a profile's field; "" if it is none.
func displayName(value string) (name string) {
	if json.Unmarshal([]byte(value), &name) != nil {
		return ""
	}
	return name
}

// DirectoryPlace is a place in the order of directory terms.
type DirectoryPlace struct {
	Term string
	User int64
}

// DirectoryScan lists who is found by terms that begin with a prefix, after a place (the zero
// place is before all), in order of the terms.
func (s *Store) DirectoryScan(ctx context.Context, prefix string, after DirectoryPlace, limit int) ([]DirectoryPlace, error) {
	if after == (DirectoryPlace{}) {
		after.Term = prefix
	}
	// No byte of UTF-8 is 0xff, so this is after all that begin with the prefix.
	end := append([]byte(prefix), 0xff)
	return collect(ctx, s, "directory_scan", func(r scanner) (p DirectoryPlace, err error) {
		var term []byte
		err = r.Scan(&term, &p.User)
		p.Term = string(term)
		return p, err
	}, []byte(after.Term), after.User, end, limit)
}

// Person reads a user's id and display name, which is "" if there is none.
func (s *Store) Person(ctx context.Context, user int64) (id, name string, err error) {
	var value string
	if err := s.row(ctx, "directory_name", user).Scan(&id, &value); err != nil {
		return "", "", err
	}
	return id, displayName(value), nil
}

// AccountsAfter lists the open accounts of users with larger numbers, in order.
func (s *Store) AccountsAfter(ctx context.Context, user int64, limit int) ([]int64, error) {
	return collect(ctx, s, "account_after", scanInt, user, limit)
}

// PastEvents lists history that was brought in later, with positions below pos, largest first, but for late events, which are
// in the log.
func (s *Store) PastEvents(ctx context.Context, pos int64, limit int) ([]int64, error) {
	return collect(ctx, s, "event_past_before", scanInt, pos, int64(lateTop), limit)
}
