// Package media keeps files that people send: content-addressed, streamed in and out, with
// thumbnails of pictures made on demand, quotas, quarantine, and a cache for what other servers
// have.
//
// The bytes of each file are kept once, under their SHA-256, by a Blobs: a folder, or package s3.
// Which ids stand for them, and which events speak of them, is kept by package store. The
// package's HTTP helpers write a response or return an error for the caller to write; who may do
// what, and the paths, are the caller's, and so is reaching other servers (Remote).
package media
