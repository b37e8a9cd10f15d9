// Package userdirectory finds people by user id and display name. The words by which they are
// found are kept by package store, in the same transaction as what they are made of; who may find
// whom is decided here, at the time of the question, so that it is never out of date.
package userdirectory
