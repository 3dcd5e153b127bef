//! From a source and a wish for generated rows to the tables of an org.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::DataSource;
use super::awkward;
use super::demo;
use super::generate::{Generated, Target};
use super::ids;
use super::infer;
use super::load::{DataError, Draft, nearest};
use super::schema::Schema;
use super::stored::Stored;
use super::tables::{Table, Tables};

/// Seed of the generated rows that belong to the demo org itself.
const DEMO_SEED: u64 = 20_240_416;
/// Records of `Wide__c` in every org.
const WIDE_ROWS: u64 = 300;

/// Rows to generate: object number, rows, seed.
type Wish = (usize, u64, u64);

/// Opens an org.
pub fn open(source: &DataSource, generate: &[(String, u64)], seed: u64) -> Result<Tables, DataError> {
    let mut schema = Schema::built_in().map_err(DataError::Schema)?;
    let mut drafts: HashMap<usize, Draft> = HashMap::new();
    settings(&schema, &mut drafts)?;
    let mut wishes: Vec<Wish> = Vec::new();
    match source {
        DataSource::Demo => {
            for (object, text) in demo::FILES.into_iter().chain(demo::deleted()) {
                read(&schema, &mut drafts, object, Path::new(object), text)?;
            }
            wishes
                .extend(demo::GENERATED.iter().filter_map(|(name, rows)| Some((schema.find(name)?, *rows, DEMO_SEED))));
        }
        DataSource::Folder(folder) => {
            files(&mut schema, &mut drafts, folder)?;
            wishes.extend(schema.find("Wide__c").map(|object| (object, WIDE_ROWS, DEMO_SEED)));
        }
    }
    for (name, rows) in generate {
        let object = wished(&schema, name)?;
        wishes.retain(|wish| wish.0 != object);
        wishes.push((object, *rows, seed));
    }
    // The list of objects comes last, when all are known.
    if let Some(object) = schema.find("EntityDefinition") {
        let mut draft = Draft::new(&schema.objects[object]);
        demo::entity_definitions(&schema, &mut draft);
        drafts.insert(object, draft);
    }
    Ok(tables(schema, drafts, &wishes))
}

/// Objects of which there is one set, that other things rely on.
const SETTINGS: [&str; 7] = ["User", "Group", "Profile", "UserRole", "Organization", "EntityDefinition", "RecordType"];

fn wished(schema: &Schema, name: &str) -> Result<usize, DataError> {
    let names = schema.objects.iter().map(|object| object.name.as_str()).filter(|name| !SETTINGS.contains(name));
    let found = names.clone().find(|known| known.eq_ignore_ascii_case(name)).and_then(|name| schema.find(name));
    found.ok_or_else(|| DataError::Generate { object: name.to_owned(), nearest: nearest(name, names) })
}

fn settings(schema: &Schema, drafts: &mut HashMap<usize, Draft>) -> Result<(), DataError> {
    for (object, text) in demo::SETTINGS {
        read(schema, drafts, object, Path::new(object), text)?;
    }
    if let Some(object) = schema.find("Awkward__c") {
        let definition = &schema.objects[object];
        let mut draft = Draft::new(definition);
        awkward::records(&mut draft, |name| {
            definition.field(name).and_then(|field| definition.fields.get(field)).cloned()
        });
        drafts.insert(object, draft);
    }
    Ok(())
}

fn read(
    schema: &Schema,
    drafts: &mut HashMap<usize, Draft>,
    object: &str,
    path: &Path,
    text: &str,
) -> Result<(), DataError> {
    let Some(object) = schema.find(object) else { return Err(unknown(schema, path, object)) };
    drafts.entry(object).or_insert_with(|| Draft::new(&schema.objects[object])).read(schema, path, text)
}

fn unknown(schema: &Schema, path: &Path, object: &str) -> DataError {
    let names = schema.objects.iter().map(|object| object.name.as_str());
    DataError::UnknownObject { path: path.to_owned(), object: object.to_owned(), nearest: nearest(object, names) }
}

/// Reads a folder's CSV files. Objects that the files define come first, so that files may refer to each other.
fn files(schema: &mut Schema, drafts: &mut HashMap<usize, Draft>, folder: &Path) -> Result<(), DataError> {
    let mut found: Vec<(PathBuf, usize, String)> = Vec::new();
    for path in csv_files(folder)? {
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let text = text_of(&path)?;
        let object = match object_of_file(schema, &stem) {
            Some(object) => object,
            None if stem.to_ascii_lowercase().ends_with("__c") => {
                let number = schema.objects.len();
                let parent_of =
                    |base: &str| object_of_file(schema, base).map(|parent| schema.objects[parent].name.clone());
                let object = infer::object(&stem, number, &path, &text, parent_of)?;
                schema.push(object)
            }
            None => return Err(unknown(schema, &path, &stem)),
        };
        found.push((path, object, text));
    }
    for (path, object, text) in found {
        let draft = drafts.entry(object).or_insert_with(|| Draft::new(&schema.objects[object]));
        // A file replaces what the org has by itself.
        *draft = Draft::new(&schema.objects[object]);
        draft.read(schema, &path, &text)?;
    }
    Ok(())
}

fn csv_files(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let fault = |source| DataError::Read { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv")) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn text_of(path: &Path) -> Result<String, DataError> {
    let bytes = std::fs::read(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    String::from_utf8(bytes).map_err(|fault| {
        let line =
            fault.as_bytes().iter().take(fault.utf8_error().valid_up_to()).filter(|byte| **byte == b'\n').count() + 1;
        DataError::Csv { path: path.to_owned(), line, problem: "not UTF-8".to_owned() }
    })
}

/// `Account`, `accounts`, `Order_Lines`: the object's name or its plural, case, spaces and underscores ignored.
fn object_of_file(schema: &Schema, stem: &str) -> Option<usize> {
    let plain = |text: &str| text.to_ascii_lowercase().replace([' ', '_', '-'], "");
    let stem_plain = plain(stem);
    schema.find(stem).or_else(|| {
        schema.objects.iter().position(|object| {
            plain(&object.plural) == stem_plain || plain(object.name.trim_end_matches("__c")) == stem_plain
        })
    })
}

fn tables(schema: Schema, mut drafts: HashMap<usize, Draft>, wishes: &[Wish]) -> Tables {
    for wish in wishes {
        drafts.remove(&wish.0);
    }
    drafts.values_mut().for_each(Draft::number);
    resolve(&schema, &mut drafts, wishes);
    let users = schema.find("User").and_then(|users| drafts.get(&users)).map(Draft::ids).unwrap_or_default();
    let mut tables: Vec<Table> = schema
        .objects
        .iter()
        .enumerate()
        .map(|(index, object)| {
            Table::Stored(drafts.remove(&index).map_or_else(|| Stored::empty(object), |draft| draft.finish(&users)))
        })
        .collect();
    let targets = targets(&schema, &tables, wishes);
    for (object, rows, seed) in wishes {
        if let (Some(definition), Some(place)) = (schema.objects.get(*object), tables.get_mut(*object)) {
            *place = Table::Generated(Generated::new(definition, *rows, *seed, &targets));
        }
    }
    Tables { schema: Arc::new(schema), tables: Arc::new(tables.into_iter().map(Arc::new).collect()) }
}

/// Finds the parents that are named by a key. Parents that are generated have no such key: one is chosen by the key's text.
fn resolve(schema: &Schema, drafts: &mut HashMap<usize, Draft>, wishes: &[Wish]) {
    let wanted: Vec<(usize, usize)> = drafts.values().flat_map(Draft::wanted).collect();
    let mut indexes = HashMap::new();
    for key in wanted {
        if let Some(parent) = drafts.get(&key.0) {
            indexes.entry(key).or_insert_with(|| parent.index(key.1));
        }
    }
    for draft in drafts.values_mut() {
        draft.resolve(&indexes, |parent, key| {
            let rows = wishes.iter().find(|wish| wish.0 == parent).map(|wish| wish.1).filter(|rows| *rows > 0)?;
            let hash =
                key.iter().fold(0u64, |hash, byte| hash.wrapping_mul(1_099_511_628_211).wrapping_add(u64::from(*byte)));
            Some(ids::of_row(schema.objects[parent].prefix_bytes(), hash % rows).to_vec())
        });
    }
}

fn targets(schema: &Schema, tables: &[Table], wishes: &[Wish]) -> Vec<Target> {
    let all = schema.objects.iter().zip(tables).enumerate();
    all.map(|(object, (definition, table))| {
        let wished = wishes.iter().find(|wish| wish.0 == object).map(|wish| wish.1);
        let given = match table {
            Table::Stored(Stored { given_ids: Some(_), columns, .. }) => columns.first().cloned().map(Arc::new),
            _ => None,
        };
        // Nobody owns or belongs to a row of the recycle bin, and those come last. Of users, only the active ones own.
        let rows = wished.unwrap_or_else(|| table.live_rows());
        let rows = if definition.name == "User" { rows.min(4) } else { rows };
        Target { name: definition.name.clone(), object, prefix: definition.prefix_bytes(), rows, given }
    })
    .collect()
}
