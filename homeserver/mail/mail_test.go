package mail

import (
	"context"
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/mail/mailtest"
)

func TestSend(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("https://example.org/a-long-link?", 10)
	for name, tc := range map[string]struct {
		server    mailtest.Options
		security  Security
		user      string
		password  string
		distrust  bool
		err       string
		encrypted bool
	}{
		"starttls":               {server: mailtest.Options{}, security: StartTLS, encrypted: true},
		"tls":                    {server: mailtest.Options{TLS: true}, security: TLS, encrypted: true},
		"plain":                  {server: mailtest.Options{Plain: true}, security: None},
		"auth plain":             {server: mailtest.Options{User: "u", Password: "p"}, security: StartTLS, user: "u", password: "p", encrypted: true},
		"auth login":             {server: mailtest.Options{User: "u", Password: "p", Auth: "LOGIN", TLS: true}, security: TLS, user: "u", password: "p", encrypted: true},
		"wrong password":         {server: mailtest.Options{User: "u", Password: "p"}, security: StartTLS, user: "u", password: "x", err: "535"},
		"no password":            {server: mailtest.Options{User: "u", Password: "p"}, security: StartTLS, err: "530"},
		"no STARTTLS":            {server: mailtest.Options{Plain: true}, security: StartTLS, err: "does not offer STARTTLS"},
		"no trusted certificate": {server: mailtest.Options{}, security: StartTLS, distrust: true, err: "certificate"},
		"recipient refused":      {server: mailtest.Options{Refuse: "550 nobody"}, security: StartTLS, err: "550"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := mailtest.Start(t, tc.server)
			o := Options{From: "Länd <noreply@example.org>", Server: Server{Address: srv.Address(), Security: tc.security, User: tc.user, Password: tc.password, TLS: srv.Client}}
			if tc.distrust {
				o.Server.TLS = &tls.Config{}
			}
			m, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			err = m.Send(t.Context(), accounts.MailAdd, "bob@example.org", accounts.MailData{Server: "<b>.org", Link: long, Token: "abc"})
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("%v, want %q", err, tc.err)
				}
				if strings.Contains(err.Error(), "secret") || srv.Count() != 0 {
					t.Errorf("%d messages, %v", srv.Count(), err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := srv.Next(0)
			if got.To != "bob@example.org" || !strings.Contains(got.From, "noreply@example.org") || got.Encrypted != tc.encrypted || got.User != tc.user {
				t.Errorf("%+v", got)
			}
			if got.Subject != "Confirm your address for <b>.org" || !strings.Contains(got.Text, long) || !strings.Contains(got.HTML, "&lt;b&gt;.org") {
				t.Errorf("%+v", got)
			}
			for _, name := range []string{"Date", "Message-Id", "From", "To"} {
				if got.Header.Get(name) == "" {
					t.Errorf("there is no %s", name)
				}
			}
		})
	}
}

// TestSlowServer: a mail server that says nothing holds up nobody for longer than they wait.
func TestSlowServer(t *testing.T) {
	t.Parallel()
	srv := mailtest.Start(t, mailtest.Options{Silent: true})
	m, err := New(Options{From: "a@b.c", Server: Server{Address: srv.Address(), Security: StartTLS}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := m.Send(ctx, accounts.MailInUse, "x@y.z", accounts.MailData{}); err == nil {
		t.Error("no error")
	}
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ file, text, err string }{
		"own":         {"register.txt", "Subject: Hallo {{.Server}}\n\nGeh zu {{.Link}}\n", ""},
		"no subject":  {"register.txt", "Hallo\n", "the first line must be Subject:"},
		"wrong field": {"register.txt", "Subject: x\n{{.Password}}", "Password"},
		"no template": {"password.txt", "Subject: x\n{{", "unclosed action"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, tc.file), []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			srv := mailtest.Start(t, mailtest.Options{Plain: true})
			m, err := New(Options{From: "a@b.c", Templates: dir, Server: Server{Address: srv.Address(), Security: None}})
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("%v, want %q", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Send(t.Context(), accounts.MailRegister, "x@y.z", accounts.MailData{Server: "ö.org", Link: "https://l"}); err != nil {
				t.Fatal(err)
			}
			if got := srv.Next(0); got.Subject != "Hallo ö.org" || strings.TrimSpace(got.Text) != "Geh zu https://l" || got.HTML != "" {
				t.Errorf("%+v", got)
			}
		})
	}
	if _, err := New(Options{From: "no address"}); err == nil {
		t.Error("a wrong sender was taken")
	}
}
