package media

import (
	"context"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Specification, "Security considerations": "Homeservers should limit the number and total size
// of media that can be uploaded by clients, returning a HTTP 403 error with the M_FORBIDDEN code."

// withinQuota refuses an upload of at least so many bytes that the user's quota will refuse at
// its end.
func (r *Repo) withinQuota(ctx context.Context, by Uploader, size int64) error {
	if !r.counts(by) {
		return nil
	}
	bytes, files, err := r.c.Store.MediaUsage(ctx, by.User, r.quotaSince())
	if err != nil {
		return public(err)
	}
	return r.c.Quota.check(bytes+size, files+1)
}

// quotaAllows is withinQuota for what is about to be stored, in its transaction.
func (r *Repo) quotaAllows(tx *store.Tx, by Uploader, size int64) error {
	if !r.counts(by) {
		return nil
	}
	bytes, files, err := tx.MediaUsage(by.User, r.quotaSince())
	if err != nil {
		return err
	}
	if err := r.c.Quota.check(bytes+size, files+1); err != nil {
		return store.Refuse(err)
	}
	return nil
}

func (r *Repo) counts(by Uploader) bool {
	return !by.Unlimited && (r.c.Quota.Bytes > 0 || r.c.Quota.Files > 0)
}

// quotaSince is from when on files count.
func (r *Repo) quotaSince() int64 {
	if r.c.Quota.Window <= 0 {
		return 0
	}
	return r.nowMS() - r.c.Quota.Window.Milliseconds()
}

func (q Quota) check(bytes, files int64) error {
	over := q.Bytes > 0 && bytes > q.Bytes || q.Files > 0 && files > q.Files
	if !over {
		return nil
	}
	if q.Window > 0 {
		return mxerror.Forbidden("You have reached your quota of uploads. Some of it will be free again later.")
	}
	return mxerror.Forbidden("You have reached your quota of uploads.")
}
