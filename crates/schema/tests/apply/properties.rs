//! Properties of applies over made-up objects.
