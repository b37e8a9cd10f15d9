package media

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// Fault is what Verify finds wrong with a file.
type Fault string

// The faults of files.
const (
	Missing Fault = "missing" // media speaks of it
	Damaged Fault = "damaged" // its bytes are not those that its name promises
	Orphan  Fault = "orphan"  // no media speaks of it: a crash left it
)

// Verify reads all files and compares them with what is known of them, while the server runs.
// report is called for each that is not as it should be, with its SHA-256 in hex. With remove,
// orphans are removed. The result is how many files were read.
func (r *Repo) Verify(ctx context.Context, remove bool, report func(sha256 string, f Fault)) (files int, err error) {
	last := []byte{}
	for {
		hashes, err := r.c.Store.MediaHashes(ctx, last, tidyBatch)
		if err != nil {
			return files, err
		}
		if len(hashes) == 0 {
			break
		}
		last = hashes[len(hashes)-1]
		for _, h := range hashes {
			fault, err := r.verify(ctx, h)
			if err != nil {
				return files, err
			}
			files++
			if fault != "" {
				report(key(h), fault)
			}
		}
	}
	return files, r.orphans(ctx, remove, report)
}

func (r *Repo) verify(ctx context.Context, hash []byte) (Fault, error) {
	f, err := r.blobs.Open(ctx, key(hash))
	if err == nil {
		defer f.Close()
		sum := sha256.New()
		if _, err = io.Copy(sum, &source{ctx: ctx, r: f}); err == nil && !bytes.Equal(sum.Sum(nil), hash) {
			return Damaged, nil
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		// It may have been deleted since it was listed.
		n, err := r.c.Store.MediaWithHash(ctx, hash)
		if err != nil || n == 0 {
			return "", err
		}
		return Missing, nil
	}
	if err != nil {
		return "", fmt.Errorf("reading media file %s: %w", key(hash), err)
	}
	return "", nil
}

func (r *Repo) orphans(ctx context.Context, remove bool, report func(string, Fault)) error {
	return r.blobs.List(ctx, func(name string, _ int64) error {
		hash, err := hex.DecodeString(name)
		if err != nil {
			return nil // not ours
		}
		orphan, err := r.orphan(ctx, hash)
		if err != nil || !orphan {
			return err
		}
		report(name, Orphan)
		if remove {
			return r.removeUnused(ctx, hash)
		}
		return nil
	})
}

// orphan tells whether no media has a hash. An upload that is about to be known has its turn first.
func (r *Repo) orphan(ctx context.Context, hash []byte) (bool, error) {
	defer r.changing.lock(key(hash))()
	n, err := r.c.Store.MediaWithHash(ctx, hash)
	return n == 0, err
}
