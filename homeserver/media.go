package homeserver

import (
	"context"
	"net/netip"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/media"
	"github.com/landbridge-im/landbridge/homeserver/media/s3"
	"github.com/landbridge-im/landbridge/homeserver/preview"
	"github.com/landbridge-im/landbridge/internal/safedial"
)

// MediaOptions say what is done with files; see media.Config.
type MediaOptions struct {
	// Dir is the folder of files, and with S3 of thumbnails and uploads under way.
	Dir string
	// S3, when set, keeps the files.
	S3 *s3.Config
	// MaxUpload is the largest file in bytes.
	MaxUpload                  int64
	Quota                      media.Quota
	CacheBytes, ThumbnailBytes int64
	CacheAge, DeleteRedacted   time.Duration
	// Remote fetches media of other servers; nil means that there is none to be had.
	Remote media.Remote
}

// PreviewOptions say what is done with addresses of web pages; see preview.Config.
type PreviewOptions struct {
	Enabled     bool
	Allow, Deny []string
	// Networks are private networks that may be reached.
	Networks            []netip.Prefix
	Language, UserAgent string
}

// openMedia makes the repository of files and what previews pages.
func (s *Server) openMedia(ctx context.Context) error {
	o := s.o.Media
	c := media.Config{Dir: o.Dir, Server: s.o.Name, Store: s.store, Log: s.o.Log, Now: s.o.Now, MaxUpload: o.MaxUpload, Quota: o.Quota,
		CacheBytes: o.CacheBytes, CacheAge: o.CacheAge, ThumbnailBytes: o.ThumbnailBytes, DeleteRedacted: o.DeleteRedacted, Remote: o.Remote}
	if o.S3 != nil {
		bucket, err := s3.Open(ctx, *o.S3)
		if err != nil {
			return err
		}
		c.Blobs = bucket
	}
	if c.Remote == nil && s.o.Federation.Enabled {
		c.Remote = remoteMedia{s.outside.client, max(o.MaxUpload, remoteMediaMin)}
	}
	var err error
	if s.media, err = media.New(c); err != nil {
		return err
	}
	p := s.o.Previews
	s.preview, err = preview.New(preview.Config{Enabled: p.Enabled, Server: s.o.Name, Store: s.store, Pictures: s.media, Log: s.o.Log, Now: s.o.Now,
		Dial: safedial.Policy{Allow: p.Networks}.DialContext, RootCAs: s.o.Federation.RootCAs,
		Allow: p.Allow, Deny: p.Deny, Language: p.Language, UserAgent: p.UserAgent})
	return err
}

// Media gives access to the files, for administration.
func (s *Server) Media() *media.Repo { return s.media }
