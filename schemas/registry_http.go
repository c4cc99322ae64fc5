package schemas

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// maxRegistryAnswer bounds an answer of the registry, in bytes once it is unpacked. Schemas have kilobytes.
const maxRegistryAnswer = 4 << 20

// boundedClient follows no redirect, which could take the credentials elsewhere, and reads no more than it must.
func boundedClient(transport http.RoundTripper, timeout time.Duration) *http.Client {
	return &http.Client{
		Transport: boundedAnswers{transport}, Timeout: timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type boundedAnswers struct{ http.RoundTripper }

// RoundTrip makes reading on beyond the bound an error.
func (b boundedAnswers) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = &boundedBody{ReadCloser: resp.Body, left: maxRegistryAnswer}
	return resp, nil
}

var errAnswerTooLarge = errors.New("the answer is too large")

type boundedBody struct {
	io.ReadCloser
	left int
}

// Read implements io.Reader.
func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("%w: more than %d bytes", errAnswerTooLarge, maxRegistryAnswer)
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
