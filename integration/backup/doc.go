// Package backup takes backups of the real binary while clients and a bridge are busy, restores
// them elsewhere and goes on with them.
package backup
