package store

import "context"

// Account is somebody's account here.
type Account struct {
	User int64
	// Password is an encoded hash; empty for accounts that can't log in with one.
	Password string
	// Kind is "user", "guest" or "service".
	Kind  string
	Admin bool
	// Service is the application service that the account belongs to, or "".
	Service       string
	CreatedTS     int64
	DeactivatedTS int64
	Locked        bool
	Suspended     bool
	// ErasedPos is the log position at which the account was erased, or 0.
	ErasedPos int64
	// Type is what administrators say that this account is ("bot"), or "".
	Type string
	// ShadowBanned accounts are told that they did what they did not.
	ShadowBanned bool
	// RateMilli is the account's own limit of requests, in thousandths a second, and RateBurst how
	// many may come at once; RateMilli -1 means the usual limits, 0 none.
	RateMilli, RateBurst int64
	// KeysUntilTS is until when the cross-signing keys may be replaced without a confirmation.
	KeysUntilTS int64
}

// Account reads an account; ErrNotFound if the user has none here.
func (s *Store) Account(ctx context.Context, user int64) (Account, error) {
	return scanAccount(s.row(ctx, "account_get", user))
}

// Account is Store.Account as the transaction sees it.
func (t *Tx) Account(user int64) (Account, error) { return scanAccount(t.row("account_get", user)) }

func scanAccount(r scanner) (a Account, err error) { return a, a.scan(r) }

// scan reads the columns of an account, and what follows them.
func (a *Account) scan(r scanner, more ...any) error {
	var admin, locked, suspended, shadow int
	err := r.Scan(append([]any{&a.User, &a.Password, &a.Kind, &admin, &a.Service, &a.CreatedTS, &a.DeactivatedTS, &locked, &suspended, &a.ErasedPos,
		&a.Type, &shadow, &a.RateMilli, &a.RateBurst, &a.KeysUntilTS}, more...)...)
	a.Admin, a.Locked, a.Suspended, a.ShadowBanned = admin != 0, locked != 0, suspended != 0, shadow != 0
	return err
}

// AccountName is an account with its user id.
type AccountName struct {
	Account
	ID string
}

// Accounts lists accounts with numbers above after, at most limit, in order of the numbers.
func (s *Store) Accounts(ctx context.Context, after int64, limit int) ([]AccountName, error) {
	return collect(ctx, s, "account_list", func(r scanner) (a AccountName, err error) {
		return a, a.scan(r, &a.ID)
	}, after, limit)
}

// GuestsIn lists the guests that are in a room.
func (s *Store) GuestsIn(ctx context.Context, room int64) ([]int64, error) {
	return collect(ctx, s, "account_guests_in", scanInt, room)
}

// RoomsWithGuests lists the rooms that have guests in them.
func (s *Store) RoomsWithGuests(ctx context.Context) ([]int64, error) {
	return collect(ctx, s, "account_guest_rooms", scanInt)
}

// PeopleCount counts the accounts that do not belong to application services.
func (s *Store) PeopleCount(ctx context.Context) (n int64, err error) {
	return n, s.row(ctx, "account_count").Scan(&n)
}

// AddAccount makes an account; false if the user has one already.
func (t *Tx) AddAccount(a Account) (bool, error) {
	n, err := t.execCount("account_insert", a.User, a.Password, a.Kind, bit(a.Admin), a.Service, a.CreatedTS)
	if err != nil || n != 1 {
		return false, err
	}
	return true, t.IndexPerson(a.User)
}

// SetPassword replaces the password hash.
func (t *Tx) SetPassword(user int64, hash string) error {
	return t.exec("account_password", user, hash)
}

// SetAdmin makes somebody an admin of the server, or no longer.
func (t *Tx) SetAdmin(user int64, admin bool) error {
	return t.exec("account_admin", user, bit(admin))
}

// Deactivate closes an account; nobody is notified for it any more.
func (t *Tx) Deactivate(user, nowMS int64) error {
	if err := t.DeletePushersOf(user); err != nil {
		return err
	}
	if err := t.exec("directory_clear", user); err != nil {
		return err
	}
	// Who it is on networks is theirs alone again.
	if err := t.exec("claim_tie_delete_user", user); err != nil {
		return err
	}
	return t.exec("account_deactivate", user, nowMS)
}

// SetLocked locks an account, or unlocks it.
func (t *Tx) SetLocked(user int64, locked bool) error {
	return t.exec("account_locked", user, bit(locked))
}

// SetSuspended suspends an account, or ends that.
func (t *Tx) SetSuspended(user int64, suspended bool) error {
	return t.exec("account_suspended", user, bit(suspended))
}

// UpgradeGuest makes a guest an ordinary user with a password.
func (t *Tx) UpgradeGuest(user int64, hash string) error {
	return t.exec("account_upgrade", user, hash)
}

// DeleteContacts removes a user's addresses, links to identity providers and tokens.
func (t *Tx) DeleteContacts(user int64) error {
	return t.execEach(user, "threepid_delete_user", "sso_link_delete_user", "token_delete_user")
}

// ForgetUser removes what is kept of a user beside the account and the events: the contacts, and
// profile, account data and filters.
func (t *Tx) ForgetUser(user int64) error {
	if err := t.DeleteContacts(user); err != nil {
		return err
	}
	return t.execEach(user, "profile_delete_all", "account_data_delete_all", "filter_delete_all")
}

// execEach runs queries that have one user as their only parameter.
func (t *Tx) execEach(user int64, names ...string) error {
	for _, q := range names {
		if err := t.exec(q, user); err != nil {
			return err
		}
	}
	return nil
}

// Erase makes the events of a user look redacted to those who come later.
func (t *Tx) Erase(user int64) error {
	pos := t.w.s.counters.pos
	if err := t.exec("account_erase", user, max(pos, 1)); err != nil {
		return err
	}
	t.after = append(t.after, func() { t.w.s.erased.Store(user, max(pos, 1)) })
	return nil
}

// ErasedAt is the log position at which a user was erased, or 0.
func (s *Store) ErasedAt(user int64) int64 {
	pos, _ := s.erased.Load(user)
	n, _ := pos.(int64)
	return n
}

// loadErased reads who was erased. It is asked for each event that is shown, and few ever are.
func (s *Store) loadErased(ctx context.Context) error {
	return s.each(ctx, "account_erased", func(r scanner) error {
		var user, pos int64
		if err := r.Scan(&user, &pos); err != nil {
			return err
		}
		s.erased.Store(user, pos)
		return nil
	})
}

// RegistrationToken allows somebody to sign up.
type RegistrationToken struct {
	Token string
	// UsesAllowed is how often it may be used; 0 means without limit.
	UsesAllowed, Used int64
	// ExpiresTS is in milliseconds; 0 means never.
	ExpiresTS  int64
	MakesAdmin bool
	CreatedTS  int64
}

func scanRegistrationToken(r scanner) (k RegistrationToken, err error) {
	var admin int
	err = r.Scan(&k.Token, &k.UsesAllowed, &k.Used, &k.ExpiresTS, &admin, &k.CreatedTS)
	k.MakesAdmin = admin != 0
	return k, err
}

// Valid tells whether the token may be used once more.
func (k RegistrationToken) Valid(nowMS int64) bool {
	return (k.UsesAllowed == 0 || k.Used < k.UsesAllowed) && (k.ExpiresTS == 0 || nowMS < k.ExpiresTS)
}

// RegistrationToken reads a token; ErrNotFound if there is none such.
func (s *Store) RegistrationToken(ctx context.Context, token string) (RegistrationToken, error) {
	return scanRegistrationToken(s.row(ctx, "registration_token_get", token))
}

// RegistrationTokens lists all tokens.
func (s *Store) RegistrationTokens(ctx context.Context) ([]RegistrationToken, error) {
	return collect(ctx, s, "registration_token_list", scanRegistrationToken)
}

// RegistrationToken reads a token within the transaction that will use it.
func (t *Tx) RegistrationToken(token string) (RegistrationToken, error) {
	return scanRegistrationToken(t.row("registration_token_get", token))
}

// AddRegistrationToken adds a token; false if it exists.
func (t *Tx) AddRegistrationToken(k RegistrationToken) (bool, error) {
	n, err := t.execCount("registration_token_put", k.Token, k.UsesAllowed, k.ExpiresTS, bit(k.MakesAdmin), k.CreatedTS)
	return n == 1, err
}

// UseRegistrationToken counts one use.
func (t *Tx) UseRegistrationToken(token string) error {
	return t.exec("registration_token_use", token)
}

// ChangeRegistrationToken sets how often a token may be used, and until when; false if there is
// none such.
func (t *Tx) ChangeRegistrationToken(k RegistrationToken) (bool, error) {
	n, err := t.execCount("registration_token_change", k.Token, k.UsesAllowed, k.ExpiresTS)
	return n == 1, err
}

// DeleteRegistrationToken removes a token.
func (t *Tx) DeleteRegistrationToken(token string) error {
	return t.exec("registration_token_delete", token)
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
