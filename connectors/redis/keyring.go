package redis

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
)

// Errors of reading a stored secret.
var (
	// ErrUnknownKey: it was encrypted with a key that is not in the ring. Give the previous key, or wait until what is stored expired.
	ErrUnknownKey = errors.New("encrypted with a key that is not in the ring")
	// ErrTampered: it is not what was encrypted for this organisation with this key.
	ErrTampered = errors.New("stored secret was altered or belongs elsewhere")
)

const (
	keySize   = 32 // AES-256
	keyIDSize = 4  // of the key's SHA-256: enough to tell two keys apart, says nothing of them
	sealed    = 1  // version of the layout: version, key id, nonce, ciphertext with tag
)

// keyRing encrypts with the current key and decrypts with that or the previous one, by AES-256-GCM.
type keyRing struct{ keys []ringKey }

type ringKey struct {
	id   [keyIDSize]byte
	aead cipher.AEAD
}

func newKeyRing(current, previous []byte) (*keyRing, error) {
	r := &keyRing{}
	for _, secret := range [][]byte{current, previous} {
		if len(secret) == 0 && len(r.keys) > 0 {
			continue
		}
		if len(secret) != keySize {
			return nil, fmt.Errorf("key of %d bytes: %d are needed", len(secret), keySize)
		}
		block, err := aes.NewCipher(secret)
		if err != nil {
			return nil, fmt.Errorf("preparing key: %w", err)
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, fmt.Errorf("preparing key: %w", err)
		}
		k := ringKey{aead: aead}
		sum := sha256.Sum256(append([]byte("booksync key id\x00"), secret...))
		copy(k.id[:], sum[:])
		r.keys = append(r.keys, k)
	}
	return r, nil
}

// seal encrypts; what belongs to one organisation cannot be read as another's.
func (r *keyRing) seal(org string, plaintext []byte) []byte {
	k := r.keys[0]
	out := append([]byte{sealed}, k.id[:]...)
	nonce := make([]byte, k.aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	out = append(out, nonce...)
	return k.aead.Seal(out, nonce, plaintext, additional(org))
}

// open decrypts. Errors: ErrUnknownKey, ErrTampered.
func (r *keyRing) open(org string, stored []byte) ([]byte, error) {
	if len(stored) < 1+keyIDSize || stored[0] != sealed {
		return nil, ErrTampered
	}
	id, rest := stored[1:1+keyIDSize], stored[1+keyIDSize:]
	for _, k := range r.keys {
		if !bytes.Equal(k.id[:], id) {
			continue
		}
		if len(rest) < k.aead.NonceSize() {
			return nil, ErrTampered
		}
		nonce, text := rest[:k.aead.NonceSize()], rest[k.aead.NonceSize():]
		plaintext, err := k.aead.Open(nil, nonce, text, additional(org))
		if err != nil {
			return nil, ErrTampered
		}
		return plaintext, nil
	}
	return nil, ErrUnknownKey
}

func additional(org string) []byte { return []byte("booksync token\x00" + org) }
