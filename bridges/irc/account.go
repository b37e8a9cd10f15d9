package irc

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"maunium.net/go/mautrix/id"
)

// accountSecret is what proves a Matrix user's account on a network.
type accountSecret struct {
	User     string `json:"user,omitempty"`
	Password string `json:"password,omitempty"`
	// Cert is a certificate and its key, in PEM form.
	Cert string `json:"cert,omitempty"`
}

// account is what a Matrix user has chosen on a network.
type account struct {
	nick   string // or empty
	host   int64  // the number of the user's own address; 0 is none yet
	secret *accountSecret
}

// keyFile holds, beside the bridge's database, the key of what is secret in it.
const keyFile = "irc-key"

var errNoKey = errors.New("the bridge has no folder for the key with which secrets are stored")

// loadKey opens or makes the key of the store's secrets.
func (s *store) loadKey(dir string) error {
	if dir == "" {
		return nil
	}
	path := filepath.Join(dir, keyFile)
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key = make([]byte, 32)
		_, _ = rand.Read(key)
		err = os.WriteFile(path, key, 0o600)
	}
	if err != nil {
		return fmt.Errorf("the key of secrets: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return fmt.Errorf("the key of secrets in %s: %w", path, err)
	}
	s.aead, err = cipher.NewGCM(block)
	return err
}

// seal encrypts a secret for one user of one network.
func (s *store) seal(network string, user id.UserID, secret *accountSecret) (string, error) {
	if secret == nil {
		return "", nil
	}
	if s.aead == nil {
		return "", errNoKey
	}
	raw, err := json.Marshal(secret)
	if err != nil {
		return "", err
	}
	nonce := make([]byte, s.aead.NonceSize())
	_, _ = rand.Read(nonce)
	return base64.StdEncoding.EncodeToString(s.aead.Seal(nonce, nonce, raw, []byte(network+"|"+string(user)))), nil
}

func (s *store) unseal(network string, user id.UserID, sealed string) (*accountSecret, error) {
	if sealed == "" {
		return nil, nil
	}
	if s.aead == nil {
		return nil, errNoKey
	}
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || len(raw) < s.aead.NonceSize() {
		return nil, errors.New("a stored secret is damaged")
	}
	size := s.aead.NonceSize()
	plain, err := s.aead.Open(nil, raw[:size], raw[size:], []byte(network+"|"+string(user)))
	if err != nil {
		return nil, fmt.Errorf("a stored secret cannot be read with the key in %s: %w", keyFile, err)
	}
	var secret accountSecret
	return &secret, json.Unmarshal(plain, &secret)
}

// account returns what a user has chosen.
func (s *store) account(ctx context.Context, network string, user id.UserID) (a account, err error) {
	var sealed string
	err = s.db.QueryRow(ctx, "SELECT nick, secret, host FROM irc_account WHERE bridge_id=$1 AND network=$2 AND user_id=$3", s.bridge, network, user).
		Scan(&a.nick, &sealed, &a.host)
	if errors.Is(err, sql.ErrNoRows) {
		return a, nil
	}
	if err == nil {
		a.secret, err = s.unseal(network, user, sealed)
	}
	if err != nil {
		return a, fmt.Errorf("read a user's account: %w", err)
	}
	return a, nil
}

// setAccount stores what a user has chosen.
func (s *store) setAccount(ctx context.Context, network string, user id.UserID, a account) error {
	sealed, err := s.seal(network, user, a.secret)
	if err != nil {
		return err
	}
	_, err = s.db.Exec(ctx, `INSERT INTO irc_account (bridge_id, network, user_id, nick, secret, host) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (bridge_id, network, user_id) DO UPDATE SET nick=excluded.nick, secret=excluded.secret, host=excluded.host`,
		s.bridge, network, user, a.nick, sealed, a.host)
	if err != nil {
		return fmt.Errorf("store a user's account: %w", err)
	}
	return nil
}

// lastHost returns the highest number of an address that was given to a user of a network.
func (s *store) lastHost(ctx context.Context, network string) (last int64, err error) {
	err = s.db.QueryRow(ctx, "SELECT COALESCE(MAX(host), 0) FROM irc_account WHERE bridge_id=$1 AND network=$2", s.bridge, network).Scan(&last)
	return last, err
}

// newCertificate makes a certificate that signs itself, and returns its fingerprints (SHA-256 and SHA-512).
func newCertificate(name string) (*accountSecret, [2]string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, [2]string{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, [2]string{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name[:min(len(name), 64)]},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(20, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, [2]string{}, err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, [2]string{}, err
	}
	both := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})) + string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
	short, long := sha256.Sum256(der), sha512.Sum512(der)
	return &accountSecret{Cert: both}, [2]string{hex.EncodeToString(short[:]), hex.EncodeToString(long[:])}, nil
}

// certificate is the certificate of a secret, or nil.
func (a *accountSecret) certificate() (*tls.Certificate, error) {
	if a == nil || a.Cert == "" {
		return nil, nil
	}
	pair, err := tls.X509KeyPair([]byte(a.Cert), []byte(a.Cert))
	return &pair, err
}
