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
}

// Account reads an account; ErrNotFound if the user has none here.
func (s *Store) Account(ctx context.Context, user int64) (Account, error) {
	return scanAccount(s.row(ctx, "account_get", user))
}

// Account is Store.Account as the transaction sees it.
func (t *Tx) Account(user int64) (Account, error) { return scanAccount(t.row("account_get", user)) }

func scanAccount(r scanner) (a Account, err error) {
	var admin, locked, suspended int
	err = r.Scan(&a.User, &a.Password, &a.Kind, &admin, &a.Service, &a.CreatedTS, &a.DeactivatedTS, &locked, &suspended)
	a.Admin, a.Locked, a.Suspended = admin != 0, locked != 0, suspended != 0
	return a, err
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

// Deactivate closes an account.
func (t *Tx) Deactivate(user, nowMS int64) error {
	if err := t.exec("directory_clear", user); err != nil {
		return err
	}
	return t.exec("account_deactivate", user, nowMS)
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
