//! Persons with scopes at the routes: over a real engine and a real catalog, in the router without its door, which is tested by itself.

mod places;
mod scopes;
mod shelf;
