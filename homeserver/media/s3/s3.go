// Package s3 keeps files of media in an S3-compatible object store. It knows nothing of what the
// files are.
package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/landbridge-im/landbridge/homeserver/media"
)

// Config is what Open needs.
type Config struct {
	// Endpoint is the store's address, https://s3.example.org.
	Endpoint string
	Region   string
	Bucket   string
	// Prefix comes before the names of all objects.
	Prefix               string
	AccessKey, SecretKey string
	// PathStyle puts the bucket into the path instead of the host's name.
	PathStyle bool
	// Transport reaches the store; nil means one of its own.
	Transport http.RoundTripper
}

const (
	// partSize is how large the parts are in which large files are sent; each is repeated alone
	// when it fails.
	partSize = 16 << 20
	retries  = 5
	// openTime is how long the store may take to say that the bucket is there.
	openTime = 30 * time.Second
)

// Bucket keeps files in a bucket. It is safe for concurrent use.
type Bucket struct {
	c      Config
	client *minio.Client
}

var _ media.Blobs = (*Bucket)(nil)

// Open connects to an object store and checks that the bucket is there.
func Open(ctx context.Context, c Config) (*Bucket, error) {
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Host == "" {
		return nil, errors.New("s3: the endpoint is no web address")
	}
	o := &minio.Options{Creds: credentials.NewStaticV4(c.AccessKey, c.SecretKey, ""), Secure: u.Scheme == "https", Region: c.Region,
		Transport: c.Transport, MaxRetries: retries, BucketLookup: minio.BucketLookupDNS}
	if c.PathStyle {
		o.BucketLookup = minio.BucketLookupPath
	}
	client, err := minio.New(u.Host, o)
	if err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	b := &Bucket{c, client}
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	ok, err := client.BucketExists(ctx, c.Bucket)
	if err != nil {
		return nil, fmt.Errorf("s3: looking for bucket %q at %s: %w", c.Bucket, c.Endpoint, err)
	}
	if !ok {
		return nil, fmt.Errorf("s3: there is no bucket %q at %s", c.Bucket, c.Endpoint)
	}
	return b, nil
}

// name is an object's name. The first letters of the key make folders for those who look.
func (b *Bucket) name(key string) string { return b.c.Prefix + key[:2] + "/" + key }

// Put implements media.Blobs. Large files are sent in parts, without ever being in memory.
func (b *Bucket) Put(ctx context.Context, key string, file *os.File, size int64) error {
	_, err := b.client.PutObject(ctx, b.c.Bucket, b.name(key), io.NewSectionReader(file, 0, size), size,
		minio.PutObjectOptions{ContentType: "application/octet-stream", PartSize: partSize, NumThreads: 2})
	if err != nil {
		return fmt.Errorf("sending a file to the object store: %w", err)
	}
	return nil
}

// Open implements media.Blobs. Only what is read is fetched.
func (b *Bucket) Open(ctx context.Context, key string) (io.ReadSeekCloser, error) {
	// Whoever reads has a time of their own.
	o, err := b.client.GetObject(context.WithoutCancel(ctx), b.c.Bucket, b.name(key), minio.GetObjectOptions{})
	if err == nil {
		if _, err = o.Stat(); err == nil {
			return o, nil
		}
		err = errors.Join(err, o.Close())
	}
	if minio.ToErrorResponse(err).Code == minio.NoSuchKey || isMissing(err) {
		return nil, fmt.Errorf("the object store: %w", fs.ErrNotExist)
	}
	return nil, fmt.Errorf("reading from the object store: %w", err)
}

func isMissing(err error) bool {
	e, ok := errors.AsType[minio.ErrorResponse](err)
	return ok && e.StatusCode == http.StatusNotFound && e.Code != minio.NoSuchBucket
}

// Delete implements media.Blobs.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	if err := b.client.RemoveObject(ctx, b.c.Bucket, b.name(key), minio.RemoveObjectOptions{}); err != nil && !isMissing(err) {
		return fmt.Errorf("removing a file from the object store: %w", err)
	}
	return nil
}

// List implements media.Blobs.
func (b *Bucket) List(ctx context.Context, fn func(key string, size int64) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the listing where fn fails
	for o := range b.client.ListObjectsIter(ctx, b.c.Bucket, minio.ListObjectsOptions{Prefix: b.c.Prefix, Recursive: true}) {
		if o.Err != nil {
			return fmt.Errorf("listing the object store: %w", o.Err)
		}
		key := path.Base(o.Key)
		if len(key) != 64 || strings.Trim(key, "0123456789abcdef") != "" || o.Key != b.name(key) {
			continue // somebody else's
		}
		if err := fn(key, o.Size); err != nil {
			return err
		}
	}
	return ctx.Err()
}
