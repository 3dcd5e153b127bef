//! The people and settings of every org, and what the demo org adds.

use super::load::Draft;
use super::schema::Schema;

/// The demo tables, by object.
pub const FILES: [(&str, &str); 4] = [
    ("Account", include_str!("../../data/demo/Account.csv")),
    ("Contact", include_str!("../../data/demo/Contact.csv")),
    ("Opportunity", include_str!("../../data/demo/Opportunity.csv")),
    ("Order_Line__c", include_str!("../../data/demo/Order_Line__c.csv")),
];

/// Objects of the demo org without real tables, and how many generated rows they get.
pub const GENERATED: [(&str, u64); 8] = [
    ("Lead", 400),
    ("Case", 600),
    ("Task", 500),
    ("Event", 120),
    ("Campaign", 12),
    ("Product2", 40),
    ("OpportunityContactRole", 200),
    ("Wide__c", 300),
];

/// Records in the demo org's recycle bin: object, header, cells.
const DELETED: [(&str, &str); 3] = [
    (
        "Account",
        "Ext_Id__c,Name,Industry,BillingCountry,BillingCity,NumberOfEmployees,IsDeleted\n\
         GONE-1,Acme Duplicate,Technology,United States,Austin,12,true\n\
         GONE-2,\"Closed, Bankrupt & Sons\",Retail,Germany,Köln,3,true\n\
         GONE-3,Test Account,,,,,true\n",
    ),
    (
        "Contact",
        "Ext_Id__c,Account.Ext_Id__c,FirstName,LastName,Email,IsDeleted\n\
         GONE-C1,TICK-MMM-1,Test,Person,test@example.com,true\n\
         GONE-C2,GONE-1,Jane,Doe,jane@example.com,true\n",
    ),
    (
        "Opportunity",
        "Ext_Id__c,Name,Account.Ext_Id__c,StageName,CloseDate,Amount,IsDeleted\n\
         GONE-O1,Entered twice,TICK-MMM-1,Prospecting,2017-03-01,100.00,true\n\
         GONE-O2,Test,GONE-1,Closed Lost,2016-12-31,,true\n",
    ),
];

const PROFILES: &str = "Name,UserType,Description\nSystem Administrator,Standard,\nStandard User,Standard,\nMinimum Access - API Only Integrations,Standard,\n";
const ROLES: &str = "Name,DeveloperName\nCEO,CEO\nSales EMEA,Sales_EMEA\nSales Americas,Sales_Americas\n";
const USERS: &str = "Username,FirstName,LastName,Email,Alias,CommunityNickname,IsActive,TimeZoneSidKey,LocaleSidKey,EmailEncodingKey,LanguageLocaleKey,UserType,Title,Department,CompanyName,Profile.Name,UserRole.Name,CreatedDate\n\
    admin@forcepump.example,Ada,Admin,admin@forcepump.example,aadmin,ada.admin,true,GMT,en_US,UTF-8,en_US,Standard,Administrator,IT,Forcepump Demo,System Administrator,CEO,2012-01-02T08:00:00.000Z\n\
    integration@forcepump.example,Ida,Integration,integration@forcepump.example,iinteg,ida.integration,true,GMT,en_US,UTF-8,en_US,Standard,,IT,Forcepump Demo,Minimum Access - API Only Integrations,,2012-01-02T08:05:00.000Z\n\
    emma.schäfer@forcepump.example,Emma,Schäfer,emma.schaefer@forcepump.example,eschae,emma.schaefer,true,Europe/Berlin,de_DE,UTF-8,de,Standard,Account Executive,Sales,Forcepump Demo,Standard User,Sales EMEA,2012-02-01T09:30:00.000Z\n\
    luis.ortega@forcepump.example,Luis,Ortega,luis.ortega@forcepump.example,lorteg,luis.ortega,true,America/Los_Angeles,en_US,UTF-8,en_US,Standard,Account Executive,Sales,Forcepump Demo,Standard User,Sales Americas,2012-02-01T09:31:00.000Z\n\
    former.colleague@forcepump.example,Frank,Former,former@forcepump.example,fform,frank.former,false,GMT,en_GB,UTF-8,en_US,Standard,,Sales,Forcepump Demo,Standard User,Sales EMEA,2012-02-03T10:00:00.000Z\n";
const GROUPS: &str = "Name,DeveloperName,Type,Email,DoesSendEmailToMembers\nSupport Queue,Support_Queue,Queue,support@forcepump.example,true\nWeb Leads,Web_Leads,Queue,,false\nAll Internal Users,AllInternalUsers,Organization,,false\n";
const ORGANIZATION: &str = "Name,Street,City,PostalCode,Country,PrimaryContact,DefaultLocaleSidKey,TimeZoneSidKey,LanguageLocaleKey,FiscalYearStartMonth,OrganizationType,InstanceName,IsSandbox,IsReadOnly\nForcepump Demo,1 Pump Street,London,EC1A 1BB,United Kingdom,Ada Admin,en_US,GMT,en_US,1,Developer Edition,EMU1,false,false\n";
const PRICEBOOKS: &str = "Name,IsActive,IsStandard\nStandard Price Book,true,true\n";

/// What every org has, as CSV by object.
pub const SETTINGS: [(&str, &str); 6] = [
    ("Profile", PROFILES),
    ("UserRole", ROLES),
    ("User", USERS),
    ("Group", GROUPS),
    ("Organization", ORGANIZATION),
    ("Pricebook2", PRICEBOOKS),
];

/// The demo org's deleted records, as CSV by object.
pub fn deleted() -> impl Iterator<Item = (&'static str, &'static str)> {
    DELETED.into_iter()
}

/// `EntityDefinition`: one row an object.
pub fn entity_definitions(schema: &Schema, draft: &mut Draft) {
    for object in &schema.objects {
        let custom = object.custom();
        let flag = |value: bool| if value { "true" } else { "false" };
        let developer = object.name.trim_end_matches("__c");
        let durable = if custom { format!("01I{}", object.prefix) } else { object.name.clone() };
        draft.push(&[
            ("DurableId", &durable),
            ("QualifiedApiName", &object.name),
            ("DeveloperName", developer),
            ("Label", &object.label),
            ("PluralLabel", &object.plural),
            ("KeyPrefix", &object.prefix),
            ("IsCustomSetting", "false"),
            ("IsQueryable", "true"),
            ("IsCustomizable", flag(custom || object.has("layoutable"))),
        ]);
    }
}

/// What follows from an opportunity's stage.
#[derive(Debug, Clone, Copy)]
pub struct Stage {
    pub name: &'static str,
    pub closed: &'static str,
    pub won: &'static str,
    pub forecast: &'static str,
    pub forecast_name: &'static str,
    pub probability: &'static str,
}

const fn open(
    name: &'static str,
    forecast: &'static str,
    forecast_name: &'static str,
    probability: &'static str,
) -> Stage {
    Stage { name, closed: "false", won: "false", forecast, forecast_name, probability }
}

/// The stages of a new org, in setup order, with their usual probabilities.
pub const STAGES: [Stage; 10] = [
    open("Prospecting", "Pipeline", "Pipeline", "10"),
    open("Qualification", "Pipeline", "Pipeline", "10"),
    open("Needs Analysis", "Pipeline", "Pipeline", "20"),
    open("Value Proposition", "Pipeline", "Pipeline", "50"),
    open("Id. Decision Makers", "Pipeline", "Pipeline", "60"),
    open("Perception Analysis", "Pipeline", "Pipeline", "70"),
    open("Proposal/Price Quote", "Pipeline", "Pipeline", "75"),
    open("Negotiation/Review", "Pipeline", "Pipeline", "90"),
    Stage { closed: "true", won: "true", ..open("Closed Won", "Closed", "Closed", "100") },
    Stage { closed: "true", ..open("Closed Lost", "Omitted", "Omitted", "0") },
];
