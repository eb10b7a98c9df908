//go:build tools

// Programs of others that the tests run, at the versions of go.sum: scripts/setup builds them.
package tools

import _ "github.com/summerwind/h2spec/cmd/h2spec"
