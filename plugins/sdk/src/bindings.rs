//! The raw bindings of the contract, for guests that need more than the kit offers.
//!
//! Three fragments instead of the worlds of `wit/`: what can be imported, and what each
//! role exports. The linker drops the imports that a plugin never calls, so a component
//! asks the host for nothing that its code does not use.

/// Everything that the host can link.
#[expect(missing_docs, reason = "the generator documents types only")]
pub mod imports {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "forcepump:plugin/host-everything",
        runtime_path: "::forcepump_plugin_sdk::__rt",
        default_bindings_module: "::forcepump_plugin_sdk::bindings::imports",
        pub_export_macro: true,
        additional_derives: [PartialEq],
        generate_all,
    });
}

/// `metadata`, which every plugin exports.
#[expect(missing_docs, reason = "the generator documents types only")]
pub mod metadata {
    wit_bindgen::generate!({
        inline: "package forcepump:kit; world metadata-part { export forcepump:plugin/metadata@0.1.0; }",
        path: "../../wit",
        runtime_path: "::forcepump_plugin_sdk::__rt",
        default_bindings_module: "::forcepump_plugin_sdk::bindings::metadata",
        pub_export_macro: true,
        export_macro_name: "export_metadata",
        additional_derives: [PartialEq],
    });
}

/// `transform`.
#[expect(missing_docs, reason = "the generator documents types only")]
pub mod transform {
    wit_bindgen::generate!({
        inline: "package forcepump:kit; world transform-part { export forcepump:plugin/transform@0.1.0; }",
        path: "../../wit",
        runtime_path: "::forcepump_plugin_sdk::__rt",
        default_bindings_module: "::forcepump_plugin_sdk::bindings::transform",
        pub_export_macro: true,
        export_macro_name: "export_transform_part",
        additional_derives: [PartialEq],
        with: {
            "forcepump:plugin/types@0.1.0": crate::bindings::imports::forcepump::plugin::types,
            "forcepump:plugin/data@0.1.0": crate::bindings::imports::forcepump::plugin::data,
        },
    });
}

/// `checkpoint`, which a transform exports when its state must live through a restart.
#[expect(missing_docs, reason = "the generator documents types only")]
pub mod checkpoint {
    wit_bindgen::generate!({
        inline: "package forcepump:kit; world checkpoint-part { export forcepump:plugin/checkpoint@0.1.0; }",
        path: "../../wit",
        runtime_path: "::forcepump_plugin_sdk::__rt",
        default_bindings_module: "::forcepump_plugin_sdk::bindings::checkpoint",
        pub_export_macro: true,
        export_macro_name: "export_checkpoint_part",
        additional_derives: [PartialEq],
        with: {
            "forcepump:plugin/types@0.1.0": crate::bindings::imports::forcepump::plugin::types,
        },
    });
}

/// `destination`.
#[expect(missing_docs, reason = "the generator documents types only")]
pub mod destination {
    wit_bindgen::generate!({
        inline: "package forcepump:kit; world destination-part { export forcepump:plugin/destination@0.1.0; }",
        path: "../../wit",
        runtime_path: "::forcepump_plugin_sdk::__rt",
        default_bindings_module: "::forcepump_plugin_sdk::bindings::destination",
        pub_export_macro: true,
        export_macro_name: "export_destination_part",
        additional_derives: [PartialEq],
        with: {
            "forcepump:plugin/types@0.1.0": crate::bindings::imports::forcepump::plugin::types,
        },
    });
}
