//! Host bindings generated from `wit/`: types, import traits and export callers.
//!
//! `data` is in the world so that its types resolve, but the sandbox links that interface by hand
//! (`host::data`): the generated glue would copy every buffer twice.

wasmtime::component::bindgen!({
    path: "../../wit",
    inline: "
        package forcepump:host;

        world host {
            import forcepump:plugin/types@0.1.0;
            import forcepump:plugin/data@0.1.0;
            import forcepump:plugin/logging@0.1.0;
            import forcepump:plugin/metrics@0.1.0;
            import forcepump:plugin/clock@0.1.0;
            import forcepump:plugin/random@0.1.0;
            import forcepump:plugin/sql@0.1.0;
            import forcepump:plugin/files@0.1.0;
            import forcepump:plugin/http@0.1.0;
            export forcepump:plugin/metadata@0.1.0;
            export forcepump:plugin/transform@0.1.0;
            export forcepump:plugin/checkpoint@0.1.0;
            export forcepump:plugin/destination@0.1.0;
        }
    ",
    world: "forcepump:host/host",
    imports: {
        "forcepump:plugin/http.send": async | trappable,
        "forcepump:plugin/http.send-all": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    with: {
        "forcepump:plugin/sql.connection": crate::host::sql::OpenConnection,
        "forcepump:plugin/files.sink": crate::host::files::OpenSink,
    },
});
