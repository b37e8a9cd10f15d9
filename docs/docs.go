// Package docs is the documentation, for those who read it in the console.
package docs

import "embed"

// Pages are the pages in Markdown, as they are in this folder.
//
//go:embed *.md decisions/*.md conformance/*.md
var Pages embed.FS
