// Package deploy holds what operators run booksync with: the image, the systemd unit, the Kubernetes manifests, the
// Prometheus rules, and the configuration that docker-compose.yml uses. There is no code in it but its tests, which keep
// these files and the program together.
package deploy
