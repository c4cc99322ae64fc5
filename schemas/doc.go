// Package schemas holds the Avro schemas of the events booksync reads and of the outcomes and audit entries it writes,
// their Go types, and the codec between the two.
//
// A value names its writer's schema in one of three ways, told apart by the bytes alone on every topic: a registry id
// in front (Confluent), a GUID or id in the __value_schema_id header, or a fingerprint (Avro single-object encoding).
// goavro decodes with the writer's schema; this package then maps the result to the Go types by field name, with the
// defaults, aliases and promotions of Avro's schema resolution.
//
// goavro never sees a logical type, a default or a count that was not checked: the writer's schema is reduced to bare
// wire types first ([node.bare]) and the bytes are walked once before goavro may allocate for them ([survey]). What
// goavro gets wrong or dies of (decimals, wide ints, recursive schemas, absurd block counts) is decided here.
//
// Every error that comes from the bytes, the writer's schema or a value to encode is an [*Error] naming the field. An
// error that wraps [ErrRegistryUnavailable] is an outage and says nothing about the record.
package schemas
