package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/landbridge-im/landbridge/config/diag"
)

// Problem is one thing wrong with a configuration.
type Problem = diag.Problem

// Problems is a list of them, and an error that unwraps to each.
type Problems = diag.Problems

// origin is where a value comes from.
type origin struct {
	file         string // or "environment variable X"
	line, column int
}

// maxSecretFile bounds the size of a file that holds one secret.
const maxSecretFile = 4096

// Load reads a configuration file, if path is not empty, and the environment as
// os.Environ gives it, and checks the result. The error is a [Problems] with everything
// that is wrong.
func Load(path string, env []string) (*Config, error) {
	var data []byte
	if path != "" {
		var err error
		if data, err = readFile(path, diag.DefaultLimits().Bytes); err != nil {
			return nil, Problems{fileProblem(path, err)}
		}
	}
	return Parse(path, data, env)
}

// Parse is Load for a file that has been read; nil data means no file.
func Parse(file string, data []byte, env []string) (*Config, error) {
	c := Default()
	c.origins = map[string]origin{}
	d := decoder{config: c, file: file, bad: map[string]bool{}}
	if data != nil {
		root, problems := diag.Parse(file, data, diag.DefaultLimits())
		d.problems = problems
		switch {
		case root != nil:
			d.document(root)
		case len(problems) == 1 && isEmpty(data):
			d.problems = nil // a file of comments alone is all defaults
		default:
			return nil, problems
		}
	}
	d.environment(env)
	c.readSecrets(&d)
	d.problems = append(d.problems, c.validate(d.bad)...)
	d.problems.Sort()
	if err := d.problems.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

// isEmpty is whether a file has nothing but comments and blank lines.
func isEmpty(data []byte) bool {
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") && line != "---" {
			return false
		}
	}
	return true
}

// readSecrets reads the files that stand for secrets.
func (c *Config) readSecrets(d *decoder) {
	c.readSecret(d, "registration.shared_secret", &c.Registration.SharedSecret, c.Registration.SharedSecretFile)
	c.readSecret(d, "mail.password", &c.Mail.Password, c.Mail.PasswordFile)
	c.readSecret(d, "login.jwt.secret", &c.Login.JWT.Secret, c.Login.JWT.SecretFile)
	c.readSecret(d, "media.s3.secret_key", &c.Media.S3.SecretKey, c.Media.S3.SecretKeyFile)
	for i := range c.Login.OIDC {
		p := &c.Login.OIDC[i]
		c.readSecret(d, fmt.Sprintf("login.oidc[%d].client_secret", i), &p.ClientSecret, p.ClientSecretFile)
	}
}

// readSecret reads the file that stands for one secret.
func (c *Config) readSecret(d *decoder, secretKey string, to *Secret, path string) {
	key := secretKey + "_file"
	if path == "" || d.bad[key] {
		return
	}
	if *to != "" {
		d.add(c.problem(key, "is set beside "+secretKey, "keep one of the two"))
		return
	}
	data, err := readFile(path, maxSecretFile)
	secret := strings.TrimSpace(string(data))
	switch {
	case err != nil:
		p := fileProblem(path, err)
		d.add(c.problem(key, diag.Quote(path)+": "+p.Message, p.Fix))
	case len(data) > maxSecretFile:
		d.add(c.problem(key, fmt.Sprintf("%s has more than %d bytes", diag.Quote(path), maxSecretFile), "put one line with the secret into it"))
	case secret == "":
		d.add(c.problem(key, diag.Quote(path)+" is empty", "put one line with the secret into it"))
	default:
		*to = Secret(secret)
	}
}

// readFile reads at most one byte more than the limit.
func readFile(path string, limit int) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, errors.New("is a folder")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if data == nil {
		data = []byte{}
	}
	return data, err
}

func fileProblem(path string, err error) Problem {
	p := Problem{File: path, Message: "cannot be read: " + err.Error()}
	switch {
	case os.IsNotExist(err):
		p.Message, p.Fix = "there is no such file", "check the path; `landbridge config example` prints a file to begin with"
	case os.IsPermission(err):
		p.Message, p.Fix = "cannot be read: permission denied", "let the user that Landbridge runs as read it"
	}
	return p
}

// problem makes a problem at the place that a key's value comes from.
func (c *Config) problem(key, message, fix string) Problem {
	p := Problem{Key: key, Message: message, Fix: fix}
	for k := key; k != ""; k = parent(k) {
		if o, ok := c.origins[k]; ok {
			p.File, p.Line, p.Column = o.file, o.line, o.column
			return p
		}
	}
	p.File = "configuration"
	return p
}

func parent(key string) string {
	if i := strings.LastIndexAny(key, ".["); i > 0 {
		return key[:i]
	}
	return ""
}

// environment applies the variables that override keys.
func (d *decoder) environment(env []string) {
	fields := d.config.fields()
	known := map[string]field{}
	var names []string
	for _, f := range fields {
		known[envName(f.path)] = f
		names = append(names, envName(f.path))
	}
	for _, kv := range env {
		name, value, ok := strings.Cut(kv, "=")
		if !ok || !strings.HasPrefix(name, EnvPrefix) || name == EnvConfig || strings.HasPrefix(name, EnvPrefix+"TEST_") {
			continue
		}
		o := origin{file: "environment variable " + name}
		f, ok := known[name]
		switch {
		case !ok:
			fix := "remove it, or see `landbridge config example` for the keys"
			if near := diag.Nearest(name, names); near != "" {
				fix = fmt.Sprintf("write %s if that is what was meant", near)
			}
			d.add(Problem{File: o.file, Message: "names no key of the configuration", Fix: fix})
		case f.bridges(), f.list():
			d.add(Problem{File: o.file, Key: f.path, Message: "cannot be set by the environment", Fix: "write it into the configuration file"})
		default:
			d.config.origins[f.path] = o
			if message, fix := f.setText(value); message != "" {
				d.bad[f.path] = true
				d.add(Problem{File: o.file, Key: f.path, Message: message, Fix: fix})
			}
		}
	}
}

// EnvPrefix begins the environment variables that override keys.
const EnvPrefix = "LANDBRIDGE_"

// EnvConfig is the variable with the path of the configuration file; it overrides no key.
const EnvConfig = "LANDBRIDGE_CONFIG"

func envName(path string) string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}
