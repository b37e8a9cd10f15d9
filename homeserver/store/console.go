package store

import (
	"context"
	"math"
	"strings"
)

// Audit is something that an administrator did.
type Audit struct {
	NID  int64
	TS   int64 // milliseconds
	Who  string
	Did  string
	To   string
	More string
}

// auditKept is how many entries are kept.
const auditKept = 100_000

// AddAudit records what an administrator did; its NID is allotted.
func (t *Tx) AddAudit(a Audit) error {
	if err := t.exec("audit_insert", a.TS, a.Who, a.Did, a.To, a.More); err != nil {
		return err
	}
	return t.exec("audit_trim", auditKept)
}

// before is what an id is compared with where 0 stands for the end of a list.
func before(nid int64) int64 {
	if nid <= 0 {
		return math.MaxInt64
	}
	return nid
}

// Audits lists what administrators did, newest first, before an entry; 0 for all.
func (s *Store) Audits(ctx context.Context, beforeNID int64, limit int) ([]Audit, error) {
	return collect(ctx, s, "audit_list", func(r scanner) (a Audit, err error) {
		return a, r.Scan(&a.NID, &a.TS, &a.Who, &a.Did, &a.To, &a.More)
	}, before(beforeNID), limit)
}

// Sample is a value at a time, in seconds.
type Sample struct {
	Series string
	TS     int64
	Value  float64
}

func scanSample(r scanner) (p Sample, err error) { return p, r.Scan(&p.Series, &p.TS, &p.Value) }

// AddSamples records values that stand for span seconds, and forgets those of the same span from
// before a time.
func (t *Tx) AddSamples(span int64, list []Sample, forgetBefore int64) error {
	for _, p := range list {
		if err := t.exec("sample_put", p.Series, span, p.TS, p.Value); err != nil {
			return err
		}
	}
	return t.exec("sample_trim", span, forgetBefore)
}

// Samples lists values that stand for span seconds since a time, by series and time: of each so many seconds (at least one)
// the largest.
func (s *Store) Samples(ctx context.Context, span, since, each int64) ([]Sample, error) {
	return collect(ctx, s, "sample_list", scanSample, span, since, max(each, 1))
}

// MeanSamples gives the means of values in a time, all of them at its beginning.
func (s *Store) MeanSamples(ctx context.Context, span, since, until int64) ([]Sample, error) {
	return collect(ctx, s, "sample_mean", func(r scanner) (p Sample, err error) {
		p.TS = since
		return p, r.Scan(&p.Series, &p.Value)
	}, span, since, until)
}

// ListedAccount is an account as lists show it.
type ListedAccount struct {
	User int64
	ID   string
	// DisplayName is JSON, or "".
	DisplayName, Kind, Service       string
	Admin, Locked, Suspended, Shadow bool
	CreatedTS, DeactivatedTS         int64
}

func scanListed(r scanner) (a ListedAccount, err error) {
	var admin, locked, suspended, shadow int
	err = r.Scan(&a.User, &a.ID, &a.DisplayName, &a.Kind, &admin, &a.Service, &a.CreatedTS, &a.DeactivatedTS, &locked, &suspended, &shadow)
	a.Admin, a.Locked, a.Suspended, a.Shadow = admin != 0, locked != 0, suspended != 0, shadow != 0
	return a, err
}

// NewestAccounts lists accounts, newest first, before one; 0 for all. Those of application services
// are left out unless all is set.
func (s *Store) NewestAccounts(ctx context.Context, beforeUser int64, all bool, limit int) ([]ListedAccount, error) {
	query := "console_people"
	if all {
		query = "console_accounts"
	}
	return collect(ctx, s, query, scanListed, before(beforeUser), limit)
}

// AccountsNamed lists the accounts whose id begins with a text, by id, after one.
func (s *Store) AccountsNamed(ctx context.Context, prefix, after string, limit int) ([]ListedAccount, error) {
	return collect(ctx, s, "console_accounts_named", scanListed, max(prefix, after), prefix+"\U0010ffff", limit)
}

// NewestRooms lists rooms, newest first, before one; 0 for all.
func (s *Store) NewestRooms(ctx context.Context, beforeRoom int64, limit int) ([]int64, error) {
	return collect(ctx, s, "console_rooms", scanInt, before(beforeRoom), limit)
}

// RoomsWithAlias lists the rooms of which an alias contains a text, in any case, newest first.
func (s *Store) RoomsWithAlias(ctx context.Context, part string, limit int) ([]int64, error) {
	return collect(ctx, s, "console_rooms_named", scanInt, contains(strings.ToLower(part)), limit)
}

// Totals are how much there is.
type Totals struct {
	People, Accounts, Rooms int64
	Files, Bytes            int64 // of media
}

// Totals counts what there is. It reads every account and file once: it is not to be called for each
// page.
func (s *Store) Totals(ctx context.Context) (t Totals, err error) {
	for query, to := range map[string][]any{"console_people_count": {&t.People}, "console_account_count": {&t.Accounts},
		"console_room_count": {&t.Rooms}, "console_media_count": {&t.Files, &t.Bytes}} {
		if err := s.row(ctx, query).Scan(to...); err != nil {
			return t, err
		}
	}
	return t, nil
}

// FirstAdmin is the administrator whose account is the oldest; ErrNotFound if there is none. It reads every account.
func (s *Store) FirstAdmin(ctx context.Context) (user int64, err error) {
	return user, s.row(ctx, "console_first_admin").Scan(&user)
}
