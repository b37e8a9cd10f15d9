package store

import "context"

// ClaimPerson is somebody of a bridged network who can claim an account here.
type ClaimPerson struct {
	// Service is the bridge's registration, and Person who it is on its network.
	Service, Person string
	Name, Email     string
	// Via is how the person is written to: "dm", "mail", or "" for not at all.
	Via string
	// Nonce is what the offer's secrets are made of; the hashes find it. They are empty without an offer.
	Nonce, URLHash, CodeHash []byte
	ExpiresTS                int64
	// SignupTS is when the offer was used to make an account, and Signup that account (0: it is being made).
	SignupTS, Signup int64
	// Sent counts the messages to the person; NextTS is when the next one is due, 0 for never.
	Sent, SentTS, NextTS int64
	// StoppedTS is when the person asked for no more messages, or 0.
	StoppedTS int64
	// Failed is why the person can't be written to, or "".
	Failed string
}

func scanClaimPerson(r scanner) (p ClaimPerson, err error) {
	return p, r.Scan(&p.Service, &p.Person, &p.Name, &p.Email, &p.Via, &p.Nonce, &p.URLHash, &p.CodeHash, &p.ExpiresTS, &p.SignupTS, &p.Signup,
		&p.Sent, &p.SentTS, &p.NextTS, &p.StoppedTS, &p.Failed)
}

// ClaimPerson reads a person; ErrNotFound if nothing was noted of them yet.
func (s *Store) ClaimPerson(ctx context.Context, service, person string) (ClaimPerson, error) {
	return scanClaimPerson(s.row(ctx, "claim_person_get", service, person))
}

// ClaimPerson is Store.ClaimPerson as the transaction sees it.
func (t *Tx) ClaimPerson(service, person string) (ClaimPerson, error) {
	return scanClaimPerson(t.row("claim_person_get", service, person))
}

// ClaimPersonByURL finds whose offer has a secret with this hash.
func (s *Store) ClaimPersonByURL(ctx context.Context, hash []byte) (ClaimPerson, error) {
	return scanClaimPerson(s.row(ctx, "claim_person_by_url", hash))
}

// ClaimPersonByURL is Store.ClaimPersonByURL as the transaction sees it.
func (t *Tx) ClaimPersonByURL(hash []byte) (ClaimPerson, error) {
	return scanClaimPerson(t.row("claim_person_by_url", hash))
}

// ClaimPersonByCode finds whose offer has a code with this hash.
func (s *Store) ClaimPersonByCode(ctx context.Context, hash []byte) (ClaimPerson, error) {
	return scanClaimPerson(s.row(ctx, "claim_person_by_code", hash))
}

// ClaimPeopleDue lists those to whom a message is due at a time.
func (s *Store) ClaimPeopleDue(ctx context.Context, nowMS int64, limit int) ([]ClaimPerson, error) {
	return collect(ctx, s, "claim_person_due", scanClaimPerson, nowMS, limit)
}

// ClaimPeopleNext is when the next message is due; 0 for never.
func (s *Store) ClaimPeopleNext(ctx context.Context) (ts int64, err error) {
	return ts, s.row(ctx, "claim_person_next").Scan(&ts)
}

// ClaimPeople lists the people of a service after one, in order.
func (s *Store) ClaimPeople(ctx context.Context, service, after string, limit int) ([]ClaimPerson, error) {
	return collect(ctx, s, "claim_person_list", scanClaimPerson, service, after, limit)
}

// SetClaimPerson notes all of a person.
func (t *Tx) SetClaimPerson(p ClaimPerson) error {
	for _, b := range []*[]byte{&p.Nonce, &p.URLHash, &p.CodeHash} {
		if *b == nil {
			*b = []byte{}
		}
	}
	return t.exec("claim_person_put", p.Service, p.Person, p.Name, p.Email, p.Via, p.Nonce, p.URLHash, p.CodeHash, p.ExpiresTS, p.SignupTS, p.Signup,
		p.Sent, p.SentTS, p.NextTS, p.StoppedTS, p.Failed)
}

// Tie says which account a person of a network is.
type Tie struct {
	Service, Person string
	User            int64
	SinceTS         int64
	// Moving is set until the account is in all rooms of the person; Rooms counts those it came into, and Notes
	// says in which it could not, a line each.
	Moving bool
	Rooms  int64
	Notes  string
}

func scanTie(r scanner) (p Tie, err error) {
	var moving int
	err = r.Scan(&p.Service, &p.Person, &p.User, &p.SinceTS, &moving, &p.Rooms, &p.Notes)
	p.Moving = moving != 0
	return p, err
}

// Tie reads a person's tie; ErrNotFound if there is none.
func (s *Store) Tie(ctx context.Context, service, person string) (Tie, error) {
	return scanTie(s.row(ctx, "claim_tie_get", service, person))
}

// Tie is Store.Tie as the transaction sees it.
func (t *Tx) Tie(service, person string) (Tie, error) {
	return scanTie(t.row("claim_tie_get", service, person))
}

// TiesOf lists who a user is on networks, oldest first.
func (s *Store) TiesOf(ctx context.Context, user int64) ([]Tie, error) {
	return collect(ctx, s, "claim_tie_of_user", scanTie, user)
}

// Ties lists those of a service after a person, in order.
func (s *Store) Ties(ctx context.Context, service, after string, limit int) ([]Tie, error) {
	return collect(ctx, s, "claim_tie_list", scanTie, service, after, limit)
}

// TieCounts tells how many people of each service have an account.
func (s *Store) TieCounts(ctx context.Context) (map[string]int64, error) {
	type count struct {
		service string
		n       int64
	}
	list, err := collect(ctx, s, "claim_tie_count", func(r scanner) (c count, err error) { return c, r.Scan(&c.service, &c.n) })
	out := map[string]int64{}
	for _, c := range list {
		out[c.service] = c.n
	}
	return out, err
}

// TiesMoving lists the ties whose accounts are not in all rooms yet, after one, in order.
func (s *Store) TiesMoving(ctx context.Context, after Tie, limit int) ([]Tie, error) {
	return collect(ctx, s, "claim_tie_moving", scanTie, after.Service, after.Person, limit)
}

// AddTie ties a person to an account; false if there is a tie already.
func (t *Tx) AddTie(p Tie) (bool, error) {
	n, err := t.execCount("claim_tie_put", p.Service, p.Person, p.User, p.SinceTS)
	return n == 1, err
}

// SettleTie notes how the account's way into the rooms stands: rooms came to those it is in. False if the tie
// is another one by now.
func (t *Tx) SettleTie(p Tie, rooms int64) (bool, error) {
	moving := 0
	if p.Moving {
		moving = 1
	}
	n, err := t.execCount("claim_tie_settle", p.Service, p.Person, p.User, moving, rooms, p.Notes)
	return n == 1, err
}

// DeleteTie takes a tie away.
func (t *Tx) DeleteTie(service, person string) error {
	return t.exec("claim_tie_delete", service, person)
}

// ClaimAsk is a code that an account was given.
type ClaimAsk struct {
	Service   string
	User      int64
	ExpiresTS int64
}

// ClaimAsk finds a code by its hash; ErrNotFound if there is none such.
func (t *Tx) ClaimAsk(hash []byte) (a ClaimAsk, err error) {
	return a, t.row("claim_ask_get", hash).Scan(&a.Service, &a.User, &a.ExpiresTS)
}

// AddClaimAsk notes a code. Those that the account had for the service, and old ones, are worth nothing any more.
func (t *Tx) AddClaimAsk(hash []byte, a ClaimAsk, nowMS int64) error {
	if err := t.exec("claim_ask_drop", nowMS, a.Service, a.User); err != nil {
		return err
	}
	return t.exec("claim_ask_put", hash, a.Service, a.User, a.ExpiresTS)
}

// DeleteClaimAsk uses a code up.
func (t *Tx) DeleteClaimAsk(hash []byte) error { return t.exec("claim_ask_delete", hash) }

// ServiceUser is an account of an application service.
type ServiceUser struct {
	User     int64
	ID, Name string
}

// ServiceUsers lists the accounts of an application service after one, in order.
func (s *Store) ServiceUsers(ctx context.Context, service string, after int64, limit int) ([]ServiceUser, error) {
	return collect(ctx, s, "claim_ghosts", func(r scanner) (u ServiceUser, err error) {
		var value string
		err = r.Scan(&u.User, &u.ID, &value)
		u.Name = displayName(value)
		return u, err
	}, service, after, limit)
}

// Activity is how much somebody said.
type Activity struct {
	User, Messages, LastTS int64
}

// RoomActivity tells how much everybody has said in a room since a time, whether it was shown as sent or came
// by a bridge.
func (s *Store) RoomActivity(ctx context.Context, room, sinceMS int64) ([]Activity, error) {
	return collect(ctx, s, "room_activity", func(r scanner) (a Activity, err error) {
		return a, r.Scan(&a.User, &a.Messages, &a.LastTS)
	}, room, sinceMS)
}
