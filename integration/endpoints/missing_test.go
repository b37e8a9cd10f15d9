package endpoints

// missing are the operations that are not there yet, each with the reason. The test fails if one
// of them begins to answer, so that nothing stays here for longer than it must.
var missing = map[string]string{}
