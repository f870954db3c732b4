//! Pure packet and flow logic.
#![no_std]
