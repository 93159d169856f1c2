plugins {
    id("com.android.application")
    id("org.jetbrains.kotlin.android")
}

android {
    namespace = "org.tfliteeq.example"
    compileSdk = 35

    defaultConfig {
        applicationId = "org.tfliteeq.example"
        minSdk = 24
        targetSdk = 35
        versionCode = 1
        versionName = "1"
        ndk { abiFilters += "arm64-v8a" }
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_11
        targetCompatibility = JavaVersion.VERSION_11
    }

    kotlinOptions { jvmTarget = "11" }

    // The runtime maps models from the package.
    androidResources { noCompress += "tflite" }
}

dependencies {
    // bazel build --config=android_arm64 //delegate/android:tflite_eq_delegate.aar
    implementation(files("libs/tflite_eq_delegate.aar"))
    implementation("com.google.ai.edge.litert:litert:2.3.0")
}
