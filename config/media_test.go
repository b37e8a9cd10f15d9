package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func loadText(t *testing.T, text string) (*Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path, nil)
}

func TestMediaMistakes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`media: {freeze_old_after: yesterday}`:                `:1:27: error: media.freeze_old_after: "yesterday" is no date; write "2026-01-31"`,
		`media: {user_quota_files: -1}`:                       `media.user_quota_files: must not be negative but is -1`,
		`media: {user_quota_window: -1h}`:                     `media.user_quota_window: must not be negative but is -1h`,
		`media: {delete_redacted_after: -1s}`:                 `media.delete_redacted_after: must not be negative`,
		`media: {cache_size: 1}`:                              `media.cache_size: must be from 1MiB`,
		`media: {s3: {endpoint: "s3.example.org"}}`:           `media.s3.endpoint: is no http or https address`,
		`media: {s3: {endpoint: "https://s3.example.org"}}`:   `media.s3.bucket: is missing`,
		`media: {s3: {endpoint: "https://s3.example.org/b"}}`: `media.s3.endpoint: "https://s3.example.org/b" has more than host and port`,
		`media: {s3: {bucket: b}}`:                            `media.s3.bucket: is set without media.s3.endpoint`,
		`media: {s3: {endpoint: "https://h", bucket: b, access_key: a, secret_key: hunter2, prefix: /x}}`: `media.s3.prefix: "/x" makes names`,
		`url_previews: {deny: ["https://example.org"]}`:                                                   `url_previews.deny: "https://example.org" is no pattern of pages`,
		`url_previews: {allow: ["a b"]}`:                                                                  `url_previews.allow: "a b" is no pattern of pages`,
		`url_previews: {allow_networks: ["10.0.0.1"]}`:                                                    `url_previews.allow_networks: "10.0.0.1" is no network`,
		`url_previews: {user_agent: "a\nb"}`:                                                              `url_previews.user_agent: cannot be sent in a header`,
		`rate_limits: {preview_per_second: 0}`:                                                            `rate_limits.preview_per_second: must be more than 0`,
	} {
		_, err := loadText(t, text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v\nwant %s", text, err, want)
		}
	}
}

func TestMediaValues(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := loadText(t, `
media:
  freeze_old_after: "2024-09-01"
  s3: {endpoint: "https://s3.example.org", bucket: b, access_key: a, secret_key_file: `+secret+`}
url_previews: {enabled: true, deny: ["*.example.org/x?*"], allow_networks: ["10.1.0.0/16"]}
`)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Media.Frozen(); !got.Equal(time.Date(2024, 9, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("frozen at %v", got)
	}
	if got := c.Media.S3.SecretKey.Reveal(); got != "hunter2" {
		t.Errorf("the secret key is %q", got)
	}
	if got := c.URLPreviews.Networks(); len(got) != 1 || got[0] != netip.MustParsePrefix("10.1.0.0/16") {
		t.Errorf("%v", got)
	}
	if got := Default().Media.Frozen(); !got.IsZero() {
		t.Errorf("by default, frozen at %v", got)
	}
}
