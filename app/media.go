package app

import (
	"github.com/landbridge-im/landbridge/config"
	"github.com/landbridge-im/landbridge/homeserver"
	"github.com/landbridge-im/landbridge/homeserver/media"
	"github.com/landbridge-im/landbridge/homeserver/media/s3"
)

// mediaOptions are what the homeserver does with files.
func mediaOptions(c *config.Config) homeserver.MediaOptions {
	m := c.Media
	o := homeserver.MediaOptions{Dir: c.MediaPath(), MaxUpload: m.MaxUpload.Bytes(),
		Quota:      media.Quota{Bytes: m.UserQuota.Bytes(), Files: int64(m.UserQuotaFiles), Window: m.UserQuotaWindow.Std()},
		CacheBytes: m.CacheSize.Bytes(), CacheAge: m.CacheAge.Std(), ThumbnailBytes: m.ThumbnailCacheSize.Bytes(),
		DeleteRedacted: m.DeleteRedactedAfter.Std()}
	if m.S3.Endpoint != "" {
		o.S3 = &s3.Config{Endpoint: m.S3.Endpoint, Region: m.S3.Region, Bucket: m.S3.Bucket, Prefix: m.S3.Prefix,
			AccessKey: m.S3.AccessKey, SecretKey: m.S3.SecretKey.Reveal(), PathStyle: m.S3.PathStyle}
	}
	return o
}

// previewOptions are what the homeserver does with addresses of web pages.
func previewOptions(c *config.Config) homeserver.PreviewOptions {
	p := c.URLPreviews
	return homeserver.PreviewOptions{Enabled: p.Enabled, Allow: p.Allow, Deny: p.Deny, Networks: p.Networks(),
		Language: p.Language, UserAgent: p.UserAgent}
}
