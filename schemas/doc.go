// Package schemas holds the Avro schemas of the events booksync reads and of the outcomes and audit entries it writes,
// their Go types, and the codec between the two.
//
// A value names its writer's schema in one of three ways, told apart by the bytes alone on every topic: a registry id
// in front (Confluent), a GUID or id in the __value_schema_id header, or a fingerprint (Avro single-object encoding).
// The bytes are read by the writer's schema ([walk]); the result is mapped to the Go types by field name, with the
// defaults, aliases and promotions of Avro's schema resolution. Values are encoded by goavro with the newest schema.
//
// goavro never sees a logical type, a default or a count that was not checked: the schema is reduced to bare wire types
// first ([node.bare]), and records, unions, lists and texts are walked here. What goavro gets wrong or dies of
// (decimals, wide ints, recursive schemas, absurd block counts) is decided here, and so is what is slow there (maps of
// maps of each record).
//
// Every error that comes from the bytes, the writer's schema or a value to encode is an [*Error] naming the field. An
// error that wraps [ErrRegistryUnavailable] is an outage and says nothing about the record.
package schemas
