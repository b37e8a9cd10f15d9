package accounts

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// JWT says which JSON web tokens log somebody in.
type JWT struct {
	// Algorithm is HS256, HS384 or HS512, and Secret its key; or a PEM public key with RS256, RS384,
	// RS512, PS256, PS384, PS512, ES256, ES384, ES512 or EdDSA.
	Algorithm string
	Secret    string
	// Issuer and Audiences, where set, must be those of the token.
	Issuer    string
	Audiences []string
	// SubjectClaim names the user's localpart; "" means sub.
	SubjectClaim string
	// DisplayNameClaim is the name of a user who is new, or "".
	DisplayNameClaim string
}

type jwtVerifier struct {
	JWT
	key any
}

// jwtLeeway is how far clocks may differ.
const jwtLeeway = 30 * time.Second

// maxJWT is the longest token that is looked at.
const maxJWT = 8192

func newJWTVerifier(c *JWT) (*jwtVerifier, error) {
	if c == nil {
		return nil, nil
	}
	v := &jwtVerifier{JWT: *c, key: []byte(c.Secret)}
	if v.SubjectClaim == "" {
		v.SubjectClaim = "sub"
	}
	if strings.HasPrefix(c.Algorithm, "HS") {
		return v, nil
	}
	key, err := publicKey(c.Secret)
	if err != nil {
		return nil, fmt.Errorf("the public key for JSON web tokens: %w", err)
	}
	v.key = key
	return v, nil
}

var errJWT = errors.New("the JSON web token is not acceptable")

// claims checks a token and gives what it says of the user.
func (v *jwtVerifier) claims(token string, now time.Time) (subject, name string, err error) {
	if len(token) > maxJWT {
		return "", "", errJWT
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(v.Algorithm)})
	if err != nil {
		return "", "", fmt.Errorf("%w: %w", errJWT, err)
	}
	var standard jwt.Claims
	all := map[string]any{}
	if err := parsed.Claims(v.key, &standard, &all); err != nil {
		return "", "", fmt.Errorf("%w: %w", errJWT, err)
	}
	want := jwt.Expected{Issuer: v.Issuer, AnyAudience: v.Audiences, Time: now}
	if err := standard.ValidateWithLeeway(want, jwtLeeway); err != nil {
		return "", "", fmt.Errorf("%w: %w", errJWT, err)
	}
	subject, _ = all[v.SubjectClaim].(string)
	if subject == "" {
		return "", "", fmt.Errorf("%w: it has no claim %q", errJWT, v.SubjectClaim)
	}
	if v.DisplayNameClaim != "" {
		name, _ = all[v.DisplayNameClaim].(string)
	}
	return subject, name, nil
}

// JWTOn tells whether logging in with JSON web tokens is possible.
func (a *Accounts) JWTOn() bool { return a.jwt != nil }

// checkJWT gives the localpart that a token is for.
func (a *Accounts) checkJWT(token string) (localpart, name string, err error) {
	if a.jwt == nil {
		return "", "", mxerror.New(400, "M_UNKNOWN", "This server has no login with JSON web tokens.")
	}
	if token == "" {
		return "", "", mxerror.Forbidden("token is missing.")
	}
	if localpart, name, err = a.jwt.claims(token, a.now()); err != nil {
		return "", "", mxerror.Forbidden("The JSON web token is not valid.").Because(err)
	}
	return localpart, name, nil
}

// LoginJWT logs in with a JSON web token. Who has no account gets one.
func (a *Accounts) LoginJWT(ctx context.Context, token string, d DeviceRequest) (*Login, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	localpart, name, err := a.checkJWT(token)
	if err != nil {
		return nil, err
	}
	l, err := a.LoginAs(ctx, strings.ToLower(localpart), d)
	if !mxerror.Is(err, "M_FORBIDDEN") {
		return l, err
	}
	l, err = a.Register(ctx, Registration{Localpart: localpart, DisplayName: name, Login: true, Device: d})
	if mxerror.Is(err, "M_USER_IN_USE") { // by another request, just now
		return a.LoginAs(ctx, strings.ToLower(localpart), d)
	}
	return l, err
}
