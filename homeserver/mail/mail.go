package mail

import (
	"bytes"
	"context"
	"crypto/rand"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io/fs"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"os"
	"strings"
	"text/template"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
)

//go:embed templates
var builtin embed.FS

// Options say how to send mail.
type Options struct {
	Server Server
	// From is the sender, with or without a name.
	From string
	// Templates is a folder whose files take the place of the built-in texts, or "".
	Templates string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Mailer sends the messages of package accounts. It is safe for concurrent use.
type Mailer struct {
	transport transport
	from      *mail.Address
	now       func() time.Time
	messages  map[accounts.MailKind]message
}

var _ accounts.Mailer = (*Mailer)(nil)

// message is a text, and perhaps the same for those who read HTML.
type message struct {
	text *template.Template
	html *htmltemplate.Template
}

func kinds() []accounts.MailKind {
	return []accounts.MailKind{accounts.MailRegister, accounts.MailPassword, accounts.MailAdd, accounts.MailInUse, accounts.MailUnknown}
}

// New makes a Mailer. It connects to nothing yet.
func New(o Options) (*Mailer, error) {
	from, err := mail.ParseAddress(o.From)
	if err != nil {
		return nil, fmt.Errorf("the sender's address %q: %w", o.From, err)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	m := &Mailer{transport: transport{o.Server, semaphore.NewWeighted(sendAtOnce)}, from: from, now: o.Now, messages: map[accounts.MailKind]message{}}
	dir, err := fs.Sub(builtin, "templates")
	if err != nil {
		return nil, err
	}
	for _, kind := range kinds() {
		if m.messages[kind], err = load(dir, o.Templates, kind); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// load reads KIND.txt, whose first line is the subject, and KIND.html if there is one. Both of one
// place belong together: a text of one's own is not joined by the built-in HTML.
func load(dir fs.FS, own string, kind accounts.MailKind) (m message, err error) {
	name := string(kind)
	if own != "" {
		if _, err := os.Stat(own + "/" + name + ".txt"); err == nil {
			dir = os.DirFS(own)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return m, fmt.Errorf("reading a mail template: %w", err)
		}
	}
	text, err := fs.ReadFile(dir, name+".txt")
	if err != nil {
		return m, fmt.Errorf("reading a mail template: %w", err)
	}
	if m.text, err = template.New(name + ".txt").Option("missingkey=error").Parse(string(text)); err != nil {
		return m, fmt.Errorf("mail template: %w", err)
	}
	html, err := fs.ReadFile(dir, name+".html")
	if errors.Is(err, fs.ErrNotExist) {
		return m, m.try()
	}
	if err != nil {
		return m, fmt.Errorf("reading a mail template: %w", err)
	}
	if m.html, err = htmltemplate.New(name + ".html").Parse(string(html)); err != nil {
		return m, fmt.Errorf("mail template: %w", err)
	}
	return m, m.try()
}

// try fills a template in, so that a mistake in it is found at the start.
func (m message) try() error {
	_, _, _, err := m.render(accounts.MailData{Server: "example.org", Link: "https://example.org/", Token: "token"})
	return err
}

// render makes subject and texts.
func (m message) render(data accounts.MailData) (subject, text, html string, err error) {
	var b strings.Builder
	if err := m.text.Execute(&b, data); err != nil {
		return "", "", "", fmt.Errorf("mail template: %w", err)
	}
	subject, text, ok := strings.Cut(b.String(), "\n")
	subject, ok2 := strings.CutPrefix(strings.TrimSpace(subject), "Subject:")
	if !ok || !ok2 {
		return "", "", "", fmt.Errorf("mail template %s: the first line must be Subject: and the subject", m.text.Name())
	}
	if m.html != nil {
		b.Reset()
		if err := m.html.Execute(&b, data); err != nil {
			return "", "", "", fmt.Errorf("mail template: %w", err)
		}
		html = b.String()
	}
	return strings.TrimSpace(subject), strings.TrimLeft(text, "\r\n"), html, nil
}

// Send implements accounts.Mailer. It returns once the mail server has taken the message.
func (m *Mailer) Send(ctx context.Context, kind accounts.MailKind, to string, data accounts.MailData) error {
	msg, ok := m.messages[kind]
	if !ok {
		return fmt.Errorf("no message is called %q", kind)
	}
	subject, text, html, err := msg.render(data)
	if err != nil {
		return err
	}
	return m.Deliver(ctx, to, subject, text, html, "")
}

// Deliver sends a message: text is its plain form, html the other one or "", and unsubscribe the address where a POST
// ends such messages, or "". It returns once the mail server has taken it.
func (m *Mailer) Deliver(ctx context.Context, to, subject, text, html, unsubscribe string) error {
	recipient, err := mail.ParseAddress(to)
	if err != nil {
		return fmt.Errorf("the recipient's address: %w", err)
	}
	raw, err := m.compose(recipient, subject, text, html, unsubscribe)
	if err != nil {
		return err
	}
	return m.transport.send(ctx, m.from, recipient, raw)
}

// compose writes a message as it travels.
func (m *Mailer) compose(to *mail.Address, subject, text, html, unsubscribe string) ([]byte, error) {
	var id [16]byte
	rand.Read(id[:]) // never fails
	_, domain, _ := strings.Cut(m.from.Address, "@")
	var b bytes.Buffer
	header := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, value) }
	header("From", m.from.String())
	header("To", to.String())
	header("Subject", mime.QEncoding.Encode("utf-8", subject))
	header("Date", m.now().Format(time.RFC1123Z))
	header("Message-ID", "<"+hex.EncodeToString(id[:])+"@"+domain+">")
	header("MIME-Version", "1.0")
	// Nobody's holiday notice needs to answer this.
	header("Auto-Submitted", "auto-generated")
	if unsubscribe != "" { // RFC 8058: a mail program may show a button of its own
		header("List-Unsubscribe", "<"+unsubscribe+">")
		header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
	}
	w := multipart.NewWriter(&b)
	header("Content-Type", "multipart/alternative; boundary="+w.Boundary())
	b.WriteString("\r\n")
	for _, part := range []struct{ kind, body string }{{"text/plain", text}, {"text/html", html}} {
		if part.body == "" {
			continue
		}
		p, err := w.CreatePart(textproto.MIMEHeader{"Content-Type": {part.kind + "; charset=utf-8"}, "Content-Transfer-Encoding": {"quoted-printable"}})
		if err != nil {
			return nil, err
		}
		q := quotedprintable.NewWriter(p)
		if _, err := q.Write([]byte(part.body)); err != nil {
			return nil, err
		}
		if err := q.Close(); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
