// Package media has the real binary take large files, and asks for what administrators do with files by commands.
package media
