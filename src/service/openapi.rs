//! The OpenAPI document, made from the handlers.

use serde_json::{Value, json};
use utoipa::openapi::OpenApi;

/// As JSON. A step is written as the step's own settings together with its name; JSON Schema
/// can't add a property to a closed object, so each is written out here.
pub fn document(openapi: &OpenApi) -> String {
    let mut document = serde_json::to_value(openapi).unwrap_or_default();
    let schemas = document["components"]["schemas"].clone();
    let written = |variant: &Value| {
        let all = variant["allOf"].as_array()?;
        let name = all.iter().find_map(|part| part["$ref"].as_str())?.rsplit('/').next()?;
        let tag = all.iter().find_map(|part| part["properties"].get("step"))?;
        let mut step = schemas[name].clone();
        step["properties"]["step"] = tag.clone();
        let required = step["required"].as_array().cloned().unwrap_or_default();
        step["required"] = required.into_iter().chain([json!("step")]).collect();
        Some(step)
    };
    if let Some(variants) = document["components"]["schemas"]["Step"]["oneOf"].as_array_mut() {
        for variant in variants {
            *variant = written(variant).unwrap_or(std::mem::take(variant));
        }
    }
    document.to_string()
}
