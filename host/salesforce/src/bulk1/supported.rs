//! Which objects PK chunking knows (Bulk API guide, "PK Chunking", supported objects).
//!
//! The guide names about 100 standard objects, and the list grows with releases; what stands here are those that we have
//! from it. It says of an object only that the guide names it, never that Salesforce would refuse it: an object that is not
//! here is asked for all the same, and the org's answer decides.

/// Standard objects that the guide names; a `*` stands for any ending.
const NAMED: [&str; 73] = [
    "Account",
    "AccountContactRelation",
    "AccountTeamMember",
    "Asset",
    "AssignedResource",
    "Campaign",
    "CampaignMember",
    "CandidateAnswer",
    "Case",
    "CaseArticle",
    "CaseComment",
    "ChangeRequest*",
    "Claim",
    "ClaimParticipant",
    "Contact",
    "ContentDistribution",
    "ContentDocument",
    "ContentNote",
    "ContentVersion",
    "Contract",
    "ContractLineItem",
    "Conversation*",
    "EmailMessage",
    "EngagementScore",
    "Entitlement",
    "Event",
    "EventRelation",
    "FeedItem",
    "Incident*",
    "Individual",
    "InsurancePolicy*",
    "Lead",
    "LeadInsight",
    "LinkedArticle",
    "LiveChatTranscript",
    "LoginHistory",
    "Loyalty*",
    "MessagingSession",
    "Note",
    "ObjectTerritory2Association",
    "Opportunity",
    "OpportunityContactRole",
    "OpportunityHistory",
    "OpportunityLineItem",
    "OpportunitySplit",
    "OpportunityTeamMember",
    "Order",
    "OrderItem",
    "Pricebook2",
    "PricebookEntry",
    "Problem*",
    "Product2",
    "ProductConsumed",
    "ProductRequired",
    "QuickText",
    "Quote",
    "QuoteLineItem",
    "ReplyText",
    "ServiceAppointment",
    "ServiceContract",
    "Task",
    "TaskRelation",
    "TimeSheetEntry",
    "TransactionJournal",
    "User",
    "UserRole",
    "VoiceCall",
    "VoiceCallRecording",
    "Voucher",
    "WebCart",
    "WorkOrder",
    "WorkOrderLineItem",
    "WorkPlan*",
];
/// Endings, in lower case, of objects whose ids are no ranges, or that Bulk API does not offer: custom metadata, platform
/// and change events, big objects, external objects.
const NEVER: [&str; 5] = ["__mdt", "__e", "__b", "__x", "changeevent"];

/// What is known of an object before the org is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// The guide names it, or it is a custom object.
    Splits,
    /// It is not of a kind that has chunks.
    Never,
    /// The org's answer decides.
    Untold,
}

/// Whether its rows can be split by their ids.
pub(super) fn known(object: &str) -> Known {
    let lower = object.to_ascii_lowercase();
    if by_custom_object(object) || is_named(object) {
        Known::Splits
    } else if NEVER.iter().any(|ending| lower.ends_with(ending)) {
        Known::Never
    } else {
        Known::Untold
    }
}

/// Whether the guide names it.
pub(super) fn is_named(object: &str) -> bool {
    NAMED.iter().any(|name| match name.strip_suffix('*') {
        Some(start) => object.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start)),
        None => name.eq_ignore_ascii_case(object),
    })
}

/// All custom objects can be split; settings, metadata, events, big and external objects have other endings.
fn by_custom_object(object: &str) -> bool {
    object.len() > 3 && object.to_ascii_lowercase().ends_with("__c")
}
