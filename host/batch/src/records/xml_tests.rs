use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use proptest::prelude::*;

use super::*;
use crate::CsvDecoder;
use crate::reject;

fn schema() -> SchemaRef {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    Arc::new(Schema::new(vec![
        text("Id", false),
        text("Name", true),
        text("Type", true),
        Field::new("Amount", DataType::Decimal128(18, 2), true),
        Field::new("At", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
        text("Owner.Name", true),
        text("Owner.Boss.Name", true),
    ]))
}

fn decode_in(text: &[u8], chunk: usize) -> Result<(u64, Vec<DecodedBatch>), DecodeError> {
    let mut decoder = XmlDecoder::new(schema(), DecodeOptions::default())?;
    let mut out = Vec::new();
    for bytes in text.chunks(chunk) {
        decoder.feed(bytes, &mut out)?;
    }
    let records = decoder.finish(&mut out)?;
    Ok((records, out))
}

fn from_csv(text: &str) -> RecordBatch {
    let mut decoder = CsvDecoder::new(schema(), DecodeOptions::default()).unwrap();
    let mut out = Vec::new();
    decoder.feed(text.as_bytes(), &mut out).unwrap();
    decoder.finish(&mut out).unwrap();
    out.remove(0).batch
}

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><queryResult\n   xmlns=\"http://www.force.com/2009/06/asyncapi/dataload\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n";
const FIRST: &str = " <records xsi:type=\"sObject\"><type>X</type><Id>001</Id><Id>001</Id><Name>a\n&quot;b&quot; &lt;😀&gt; &amp;amp; &#233;&#x0D;<![CDATA[<i>&amp;]]></Name><Type>Big</Type>\
    <Amount>1.2345678E7</Amount><At>2024-04-16T19:00:00.000Z</At>\
    <Owner xsi:type=\"sObject\"><type>User</type><Id xsi:nil=\"true\"/><Name>Ada</Name><Boss xsi:nil=\"true\"/></Owner></records>\n";
const SECOND: &str = "<records xsi:type='sObject'><type>X</type><Id xsi:nil=\"true\"/><Id>002</Id><Name xsi:nil=\"true\"></Name><Type/><Amount>0.5</Amount><At a=\">\" xsi:nil = 'true'/><Owner xsi:nil=\"true\"/><!-- <x> --></records>";
const CSV: &str = "Id,Name,Type,Amount,At,Owner.Name,Owner.Boss.Name\n\
    001,\"a\n\"\"b\"\" <😀> &amp; é\r<i>&amp;\",Big,1.2345678E7,2024-04-16T19:00:00.000Z,Ada,\n\
    002,,,0.5,,,\n";

#[test]
fn records_are_what_csv_gives_however_they_are_cut() {
    let text = format!("{HEAD}{FIRST}{SECOND}</queryResult>\n");
    for chunk in [1, 2, 3, 7, 64, 1_000_000] {
        let (records, out) = decode_in(text.as_bytes(), chunk).unwrap();
        assert_eq!((records, out.len()), (2, 1), "{chunk}");
        assert_eq!(out[0].batch, from_csv(CSV), "{chunk}");
    }
}

#[test]
fn empty_results_in_every_form_have_no_rows() {
    for text in ["", "<?xml version=\"1.0\"?>", "<queryResult/>", "<queryResult xmlns=\"u\"> </queryResult>"] {
        assert_eq!(decode_in(text.as_bytes(), 3).unwrap().0, 0, "{text}");
    }
}

#[test]
fn rows_that_do_not_fit_are_rejects() {
    let text = format!("{HEAD}{}{FIRST}</queryResult>", FIRST.replace("1.2345678E7", "1.234"));
    let (records, out) = decode_in(text.as_bytes(), 50).unwrap();
    assert_eq!((records, out[0].batch.num_rows()), (2, 1));
    let reject = &out[0].rejects[0];
    assert_eq!((reject.code.as_str(), reject.column.as_str()), (reject::TOO_MANY_DECIMALS, "Amount"));
    assert_eq!(reject.values[5].as_deref(), Some("Ada"));
}

#[test]
fn what_is_no_list_of_whole_records_is_an_error() {
    let error =
        |record: String| decode_in(format!("{HEAD}{record}</queryResult>").as_bytes(), 30).unwrap_err().to_string();
    assert!(error(FIRST.replace("Amount>", "Amont>")).contains("`Amont`"));
    assert!(error(FIRST.replace("<Name>Ada</Name>", "<Nick/>")).contains("`Owner.Nick`"));
    assert!(error(FIRST.replace("<Id>001</Id><Id>001</Id>", "<Id>001</Id><Id>002</Id>")).contains("twice"));
    assert!(error(FIRST.replace("&#233;", "&uuml;")).contains("stands for nothing"));
    assert!(error(FIRST.replace("&#233;", "&")).contains("stands for nothing"));
    assert!(error(FIRST.replace("</Amount>", "<a>1</a></Amount>")).contains("record"));
    assert!(error("x".to_owned()).contains("between"));
    assert!(error("<!DOCTYPE x>".to_owned()).contains("document type"));
    let whole = format!("{HEAD}{FIRST}{SECOND}</queryResult>");
    for end in (HEAD.len() - 2..whole.len()).filter(|end| whole.is_char_boundary(*end)) {
        assert!(decode_in(&whole.as_bytes()[..end], 1_000).is_err(), "{}", &whole[..end]);
    }
    assert!(decode_in(format!("{whole}<records/>").as_bytes(), 1_000).is_err());
    assert!(decode_in(b"<html><body>x</body></html>", 10).is_ok_and(|(records, _)| records == 0));
}

proptest! {
    #[test]
    fn any_text_comes_back_as_it_was(name in any::<String>(), chunk in 1usize..40) {
        let escaped: String = name.chars().map(|c| format!("&#{};", u32::from(c))).collect();
        let record = FIRST.replacen("a\n&quot;b&quot; &lt;😀&gt; &amp;amp; &#233;&#x0D;<![CDATA[<i>&amp;]]>", &escaped, 1);
        let (_, out) = decode_in(format!("{HEAD}{record}</queryResult>").as_bytes(), chunk).unwrap();
        let column = crate::text::ColumnText::new(out[0].batch.column(1).as_ref()).unwrap();
        prop_assert_eq!(column.as_str(0).unwrap_or_default(), name);
    }

    #[test]
    fn any_change_of_a_byte_is_an_error_or_rows(at in 0usize..2000, byte in any::<u8>(), chunk in 1usize..90) {
        let mut text = format!("{HEAD}{FIRST}{SECOND}</queryResult>").into_bytes();
        let at = at % text.len();
        text[at] = byte;
        let _ = decode_in(&text, chunk);
    }

    #[test]
    fn any_bytes_are_an_error_or_rows(text in "[<>/a!\\-\\[\\]?&;\"' ]{0,80}", chunk in 1usize..40) {
        let _ = decode_in(text.as_bytes(), chunk);
    }
}
