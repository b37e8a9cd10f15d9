package registration

import "github.com/landbridge-im/landbridge/config/diag"

// Limits of what is accepted. Real registrations stay far below each of them.
const (
	// MaxFileSize is the largest registration file, in bytes.
	MaxFileSize = 1 << 20
	// MaxNamespaces is the most entries in each of users, aliases and rooms.
	MaxNamespaces = 1000
	// MaxRegexLength is the longest regular expression, in bytes.
	MaxRegexLength = 2048
	// MaxRegexCost bounds the compiled size of an expression, in instructions; short
	// expressions with nested repetitions can grow without end.
	MaxRegexCost = 5000
	// MaxProtocols is the most entries in protocols.
	MaxProtocols = 100
	// MaxFiles is the most registration files in a Set.
	MaxFiles = 10_000

	maxIDLength      = 255
	maxTokenLength   = 1024
	maxURLLength     = 2048
	maxUserIDLength  = 255 // "The length of a user ID ... MUST NOT exceed 255 bytes"
	minTokenLength   = 16  // below, a token can be guessed
	maxYAMLDepth     = 16
	maxYAMLNodes     = 50_000
	overlapStates    = 20_000     // product states for one pair of expressions
	overlapStatesAll = 20_000_000 // steps for all pairs of one Set
	lintSteps        = 1_000_000  // and for the warnings about one registration
)

func yamlLimits() diag.Limits {
	return diag.Limits{Bytes: MaxFileSize, Depth: maxYAMLDepth, Nodes: maxYAMLNodes}
}
