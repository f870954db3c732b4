//! Situations of the field, a file each: what a user's network, hosts and clients are like.

mod hold_order;
