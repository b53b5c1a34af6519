//! Model to artefacts in memory.
