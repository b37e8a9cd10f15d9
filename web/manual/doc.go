// Package manual shows the documentation, which is written in Markdown, as HTML. What is around a page is not its
// business.
package manual
