//! Builds the first-party plugins for wasm and makes components of them.
//!
//! One cargo of its own, in a target folder of its own (so that it never waits for the lock of the
//! cargo that runs this), with an environment that no flag of the outer build leaks into. All builds
//! of one checkout share that folder.

mod compiler;

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use compiler::Compiler;

/// No WASI: a plugin imports nothing but `forcepump:plugin`.
const TARGET: &str = "wasm32-unknown-unknown";
/// WASI 0.2, as plugins of other tool chains have it; for a test guest only.
const WASI_TARGET: &str = "wasm32-wasip2";
/// The profile of the guests in the workspace's `Cargo.toml`.
const PROFILE: &str = "plugin";
/// SIMD is worth a factor of 3 to 5 on byte loops.
const TARGET_FEATURES: &str = "-Ctarget-feature=+simd128";
/// Between the flags in `CARGO_ENCODED_RUSTFLAGS`.
const FLAG_SEPARATOR: &str = "\x1f";
/// The only package that a plugin may import from; the test guest of [`WASI_TARGET`] imports WASI as well.
const IMPORTS_ALLOWED: &str = "forcepump:plugin/";
/// Variables of the outer build that would change the inner one.
const SCRUBBED: [&str; 8] = [
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_LINKER",
    "CARGO_TARGET_DIR",
    "CARGO_INCREMENTAL",
    "CLIPPY_ARGS",
];
/// Prefixes of such variables.
const SCRUBBED_PREFIXES: [&str; 3] = ["CARGO_BUILD_", "CARGO_PROFILE_", "CARGO_TARGET_"];

/// A plugin: short name, package, folder below `plugins/`.
struct Plugin {
    name: &'static str,
    package: &'static str,
    folder: &'static str,
}

const fn plugin(name: &'static str, package: &'static str, folder: &'static str) -> Plugin {
    Plugin { name, package, folder }
}

const SHIPPED: [Plugin; 10] = [
    plugin("aggregate", "forcepump-transform-aggregate", "transforms/aggregate"),
    plugin("csv", "forcepump-destination-csv", "destinations/csv"),
    plugin("dedupe", "forcepump-transform-dedupe", "transforms/dedupe"),
    plugin("filter", "forcepump-transform-filter", "transforms/filter"),
    plugin("http", "forcepump-destination-http", "destinations/http"),
    plugin("jsonl", "forcepump-destination-jsonl", "destinations/jsonl"),
    plugin("mask", "forcepump-transform-mask", "transforms/mask"),
    plugin("parquet", "forcepump-destination-parquet", "destinations/parquet"),
    plugin("shape", "forcepump-transform-shape", "transforms/shape"),
    plugin("sqlite", "forcepump-destination-sqlite", "destinations/sqlite"),
];

const TEST_GUESTS: [Plugin; 3] = [
    plugin("bench", "forcepump-plugin-bench", "bench"),
    plugin("evil", "forcepump-plugin-evil", "evil"),
    plugin("fickle", "forcepump-plugin-fickle", "fickle"),
];

/// A test guest once more, with what an import or a target of its own brings.
struct Variant {
    name: &'static str,
    package: &'static str,
    target: &'static str,
    features: &'static str,
}

const VARIANTS: [Variant; 3] = [
    Variant { name: "evil-http", package: "forcepump-plugin-evil", target: TARGET, features: "http" },
    Variant { name: "evil-wasi", package: "forcepump-plugin-evil", target: WASI_TARGET, features: "modest" },
    Variant { name: "fickle-http", package: "forcepump-plugin-fickle", target: TARGET, features: "http" },
];

fn main() {
    if let Err(error) = build() {
        for line in error.to_string().lines() {
            println!("cargo::error={line}");
        }
        std::process::exit(1);
    }
}

fn build() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../..").canonicalize()?;
    let test_guests = if env::var_os("CARGO_FEATURE_TEST_GUESTS").is_some() { &TEST_GUESTS[..] } else { &[] };
    watch(&root, test_guests);
    let compiler = Compiler::find(TARGET)?;
    let mut names: Vec<&str> = test_guests.iter().map(|plugin| plugin.name).collect();
    if !test_guests.is_empty() {
        // Before the others: what is left under the name of the package is the guest without features.
        names.extend(variants(&root, &out)?);
    }
    let all: Vec<&Plugin> = SHIPPED.iter().chain(test_guests).collect();
    let packages: Vec<&str> = all.iter().map(|plugin| plugin.package).collect();
    let modules = compile((&root, &guests_folder(&out)), (&compiler, TARGET), &packages, "")?;
    for plugin in &all {
        let module = modules.join(format!("{}.wasm", plugin.package.replace('-', "_")));
        let component =
            componentize(&fs::read(&module)?).map_err(|error| format!("plugin {}: {error}", plugin.name))?;
        write_if_changed(&out.join(format!("{}.wasm", plugin.name)), &component)?;
    }
    let shipped = SHIPPED.map(|plugin| plugin.name);
    let table = format!("{}{}", table("SHIPPED", &shipped)?, table("TEST_GUESTS", &names)?);
    write_if_changed(&out.join("plugins.rs"), table.as_bytes())
}

/// Builds the variants of test guests; gives their names. The sources of the standard library alone make no guest of WASI:
/// it needs a C library too.
fn variants(root: &Path, out: &Path) -> Result<Vec<&'static str>, Box<dyn Error>> {
    let mut names = Vec::new();
    for Variant { name, package, target, features } in &VARIANTS {
        let compiler = Compiler::find(target)?;
        if *target == WASI_TARGET && !compiler.is_whole() {
            println!("cargo::warning=the guest {name} is left out: the target {target} is not installed");
            continue;
        }
        names.push(*name);
        let modules = compile((root, &guests_folder(out)), (&compiler, target), &[package], features)?;
        let built = fs::read(modules.join(format!("{}.wasm", package.replace('-', "_"))))?;
        // The linker of the WASI target makes a component itself.
        let component = if *target == WASI_TARGET { built } else { componentize(&built)? };
        write_if_changed(&out.join(format!("{name}.wasm")), &component)?;
    }
    Ok(names)
}

/// Beside the outer build's own folders, so that its profiles and feature sets share one build of the
/// guests; below `out` where the layout is another one.
fn guests_folder(out: &Path) -> PathBuf {
    // target/<profile>/build/<package>-<hash>/out
    let target = out.ancestors().nth(4).filter(|target| target.join("CACHEDIR.TAG").is_file());
    target.map_or_else(|| out.join("guests"), |target| target.join("guests"))
}

/// Says what the components are made of, so that cargo runs this again when that changes.
fn watch(root: &Path, test_guests: &[Plugin]) {
    let shared = ["wit", "Cargo.toml", "Cargo.lock", "plugins/sdk/src", "plugins/sdk/Cargo.toml"];
    let common = ["destinations/common", "transforms/common"].map(|folder| format!("plugins/{folder}"));
    for path in shared.map(str::to_owned).into_iter().chain(common) {
        println!("cargo::rerun-if-changed={}", root.join(path).display());
    }
    for plugin in SHIPPED.iter().chain(test_guests) {
        println!("cargo::rerun-if-changed={}", root.join("plugins").join(plugin.folder).display());
    }
    for path in ["build.rs", "compiler.rs"] {
        println!("cargo::rerun-if-changed={path}");
    }
}

/// Compiles the plugins with one cargo; gives the folder of the core modules.
fn compile(
    (root, target_dir): (&Path, &Path),
    (compiler, target): (&Compiler, &str),
    packages: &[&str],
    features: &str,
) -> Result<PathBuf, Box<dyn Error>> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args(["build", "--quiet", "--lib", "--profile", PROFILE]);
    cargo.arg("--target-dir").arg(target_dir);
    for package in packages {
        cargo.args(["-p", package]);
    }
    if !features.is_empty() {
        cargo.args(["--features", features]);
    }
    for (name, _) in env::vars_os() {
        let leaks = name.to_str().is_some_and(|name| {
            SCRUBBED.contains(&name) || SCRUBBED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        });
        if leaks {
            cargo.env_remove(name);
        }
    }
    compiler.equip(&mut cargo);
    let result = cargo.env("CARGO_ENCODED_RUSTFLAGS", flags(root)).output()?;
    if !result.status.success() {
        return Err(format!("the plugins do not build:\n{}", String::from_utf8_lossy(&result.stderr)).into());
    }
    Ok(target_dir.join(target).join(PROFILE))
}

/// No path of this machine gets into a component, so that its digest is the same everywhere.
fn flags(root: &Path) -> String {
    let home = env::var("CARGO_HOME").or_else(|_| env::var("HOME").map(|home| format!("{home}/.cargo")));
    let mut flags = vec![TARGET_FEATURES.to_owned(), format!("--remap-path-prefix={}=.", root.display())];
    flags.extend(home.map(|home| format!("--remap-path-prefix={home}=cargo")));
    flags.join(FLAG_SEPARATOR)
}

fn componentize(module: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let component = wit_component::ComponentEncoder::default().module(module)?.validate(true).encode()?;
    let decoded = wit_component::decode(&component)?;
    let wit_component::DecodedWasm::Component(resolve, world) = &decoded else {
        return Err("the encoder gave no component".into());
    };
    for import in resolve.worlds[*world].imports.keys() {
        let name = resolve.name_world_key(import);
        if !name.starts_with(IMPORTS_ALLOWED) {
            return Err(format!("it imports {name}; a plugin may import from {IMPORTS_ALLOWED} only").into());
        }
    }
    Ok(component)
}

fn table(name: &str, plugins: &[&str]) -> Result<String, Box<dyn Error>> {
    let mut text = format!("const {name}: &[(&str, &[u8])] = &[\n");
    for name in plugins {
        writeln!(text, "    (\"{name}\", include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}.wasm\"))),")?;
    }
    text.push_str("];\n");
    Ok(text)
}

/// Leaves the file's time alone when nothing changed, so that nothing above is built again.
fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    Ok(fs::write(path, bytes)?)
}
