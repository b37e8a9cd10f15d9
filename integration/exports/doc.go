// Package exports makes exports of communities that never were, of any size, for tests and
// measurements of migrations. The same size makes the same export.
package exports
