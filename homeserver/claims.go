package homeserver

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"net/http"

	"github.com/landbridge-im/landbridge/homeserver/claims"
	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/cutover"
	"github.com/landbridge-im/landbridge/homeserver/oauth"
)

// openClaims makes the claims, which ask the client-server API, made after them, only when they are used.
func (s *Server) openClaims() (err error) {
	o := claims.Options{ServerName: s.o.Name, Store: s.store, Key: s.secret("landbridge claims"), Bot: s.botOf, Act: s.actAs, Pages: s.pages,
		Stranger: func(r *http.Request) error { return s.client.Pages().Stranger(r) }, Log: s.o.Log, Now: s.o.Now}
	if s.oauth != nil {
		o.SignIn, o.SignUp = oauth.SignInTo, oauth.SignUpTo
	}
	if m := s.o.Mailer; m != nil {
		o.Mail = func(ctx context.Context, to, subject, text string) error {
			return m.Deliver(ctx, to, subject, text, "", "")
		}
	}
	if s.claims, err = claims.New(o); err != nil {
		return err
	}
	s.cutover, err = cutover.New(cutover.Options{ServerName: s.o.Name, Store: s.store, Bot: s.botOf, Act: s.actAs, Log: s.o.Log, Now: s.o.Now})
	return err
}

// secret makes a secret for a purpose. It comes from the signing key's file: it is in no database.
func (s *Server) secret(purpose string) []byte {
	key := hmac.New(sha256.New, s.signer.Key.Seed())
	key.Write([]byte(purpose))
	return key.Sum(nil)
}

// botOf is the bot of a bridge; "" if there is none.
func (s *Server) botOf(service string) string {
	if r := s.services.Set().ByID(service); r != nil {
		return r.SenderID(s.o.Name)
	}
	return ""
}

// Cutover gives access to the ends of bridges.
func (s *Server) Cutover() *cutover.Cutover { return s.cutover }

// Claims gives access to who of bridged networks is who here.
func (s *Server) Claims() *claims.Claims { return s.claims }

var _ client.TiedTo = (*claims.Claims)(nil).Tied
